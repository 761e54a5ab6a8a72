package kafka

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/events"
)

// laneDepth is how many fetches wait for a lane before its partition is paused, if its share of the memory allows as many.
// Pausing throws away the fetch that is on its way, so a deeper queue wastes less; a fetch is at most
// FetchMaxPartitionBytes before decompression.
const laneDepth = 4

// fetched is one thing for a lane to do: records, or an error of the partition, or the news that it is caught up.
type fetched struct {
	records []*kgo.Record
	bytes   int64 // about what records take in memory
	end     int64 // high watermark
	err     error
	idle    bool
}

// lane is one assigned partition: a short queue filled by the poll loop and one goroutine that empties it.
//
//	poll loop: push ... push (pause when full)     revoke: stop, wait for done, kill when late, disown
//	goroutine: take (resume when short) ... until take says that the lane stops
type lane struct {
	cl        *kgo.Client
	topic     string
	partition int32
	share     *share // of the group's memory, or nil
	prev      *lane  // an earlier assignment of the partition that was late to stop, or nil

	stopping chan struct{} // closed: take no more
	done     chan struct{} // closed: the goroutine is over
	known    chan struct{} // closed by a goroutine that decides where the partition starts
	wake     chan struct{} // something changed for take
	kill     context.CancelFunc

	mu      sync.Mutex
	id      [16]byte
	next    int64 // offset after what was handed to the goroutine's owner; -1 before it is known
	begun   bool  // the goroutine was started
	stopped bool
	deaf    bool // between asking for a seek and its being done: what arrives is from the wrong place
	paused  bool
	busy    bool // the goroutine works on something that it took
	queue   []fetched
	queued  int64   // bytes in queue
	hand    int64   // bytes of what the owner works on
	common  int64   // of them, how many count as common; share keeps it
	quiet   fetched // newest idle notice
	quietAt time.Time
	faults  int  // errors of the owner since it last moved on
	nudged  bool // take must return although there is nothing

	committing chan struct{} // holds one while disowned is in use
	disowned   bool
}

func newLane(cl *kgo.Client, topic string, partition int32) *lane {
	return &lane{cl: cl, topic: topic, partition: partition, next: -1,
		stopping: make(chan struct{}), done: make(chan struct{}), known: make(chan struct{}), wake: make(chan struct{}, 1),
		committing: make(chan struct{}, 1)}
}

// push queues f without blocking and pauses the partition where the queue is full or f is an error.
func (l *lane) push(f fetched) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped || l.deaf {
		return
	}
	if n := len(l.queue); f.err != nil && n > 0 && l.queue[n-1].err != nil {
		return // the broker repeats an error until the partition is paused
	}
	l.queue = append(l.queue, f)
	full := l.share.moved(l, l.queued+f.bytes, l.hand)
	if !l.paused && (len(l.queue) >= laneDepth || full || f.err != nil) {
		l.paused = true
		l.cl.PauseFetchPartitions(map[string][]int32{l.topic: {l.partition}})
	}
	l.poke()
}

// take waits for the next thing to do, or for a nudge. It returns false once the lane stops. An error leaves the
// partition paused.
func (l *lane) take(freshness time.Duration) (fetched, bool) {
	for {
		l.mu.Lock()
		l.busy = false
		l.share.moved(l, l.queued, 0)
		if l.stopped {
			l.mu.Unlock()
			return fetched{}, false
		}
		if len(l.queue) > 0 {
			f := l.queue[0]
			l.queue = l.queue[1:]
			full := l.share.moved(l, l.queued-f.bytes, f.bytes)
			l.busy = true
			if len(l.queue) <= 1 && !full && f.err == nil { // early enough that the next fetch comes in time
				l.resume()
			}
			l.mu.Unlock()
			return f, true
		}
		if l.nudged {
			l.nudged = false
			l.mu.Unlock()
			return fetched{}, true
		}
		if f := l.quiet; f.idle {
			l.quiet = fetched{}
			// Records that came after the notice were taken first: its end is behind the lane then.
			if time.Since(l.quietAt) <= freshness && f.end == l.next {
				l.busy = true
				l.mu.Unlock()
				return f, true
			}
		}
		l.mu.Unlock()
		select {
		case <-l.wake:
		case <-l.stopping:
		}
	}
}

// nudge makes take return nothing after d, so that its caller can try again what failed.
func (l *lane) nudge(d time.Duration) {
	time.AfterFunc(d, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.nudged = true
		l.poke()
	})
}

// rest waits for d and lets the partition be fetched again. It returns false where the lane stops first.
func (l *lane) rest(d time.Duration) bool {
	if !l.sleep(d) {
		return false
	}
	l.mu.Lock()
	l.resume()
	l.mu.Unlock()
	return true
}

// sleep waits for d, or returns false as soon as the lane stops.
func (l *lane) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.stopping:
		return false
	}
}

// seekTo sets the offset, if the lane still owns its partition, and listens again.
func (l *lane) seekTo(cl *kgo.Client, offset int64, owned bool) {
	if owned {
		cl.SetOffsets(map[string]map[int32]kgo.EpochOffset{l.topic: {l.partition: {Epoch: -1, Offset: offset}}})
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deaf = false
	l.resume()
}

// alone waits for the lane's predecessor, and returns false where the lane stops first.
func (l *lane) alone(ctx context.Context) bool {
	select {
	case <-l.prev.done:
		return true
	case <-l.stopping:
	case <-ctx.Done():
	}
	return false
}

// empty reports whether nothing waits for the lane.
func (l *lane) empty() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue) == 0
}

// isStopped reports whether the lane must take no more.
func (l *lane) isStopped() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stopped
}

// over reports whether the lane's goroutine is over or was never started.
func (l *lane) over() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// resume is called with mu held.
func (l *lane) resume() {
	if l.paused {
		l.paused = false
		l.cl.ResumeFetchPartitions(map[string][]int32{l.topic: {l.partition}})
	}
}

func (l *lane) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// stop ends intake: what is queued will be fetched again by the next owner.
func (l *lane) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return
	}
	l.stopped, l.queue = true, nil
	l.share.moved(l, 0, l.hand)
	l.resume() // a paused partition would stay paused for its next assignment
	close(l.stopping)
	if !l.begun {
		close(l.done)
	}
}

// caughtUp tells the lane the end of its partition as asked for at at, if there is nothing else for it to do.
func (l *lane) caughtUp(end int64, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.still() || end != l.next {
		return
	}
	l.quiet, l.quietAt = fetched{idle: true, end: end}, at
	l.poke()
}

// isQuiet reports whether the lane waits for something to do.
func (l *lane) isQuiet() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.still()
}

// still is isQuiet with mu held.
func (l *lane) still() bool {
	return !l.stopped && !l.deaf && !l.busy && len(l.queue) == 0 && l.next >= 0
}

// moved notes how far the goroutine's owner was taken.
func (l *lane) moved(next int64) {
	l.mu.Lock()
	if next > l.next {
		l.faults = 0
	}
	l.next = next
	l.mu.Unlock()
}

// emptied notes that the owner has nothing in its hands any more.
func (l *lane) emptied() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.share.moved(l, l.queued, 0)
}

// failed counts errors in a row.
func (l *lane) failed() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults++
	return l.faults
}

// position returns the offset of the next record for the goroutine's owner, -1 before it is known.
func (l *lane) position() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next
}

// identify notes the topic's id, and returns false where the lane knows it by another one.
func (l *lane) identify(id [16]byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.id != id && l.id != ([16]byte{}) && id != ([16]byte{}) {
		return false
	}
	l.id = id
	return true
}

// tp names the lane's partition.
func (l *lane) tp() events.TopicPartition {
	l.mu.Lock()
	defer l.mu.Unlock()
	return events.TopicPartition{TopicID: l.id, Topic: l.topic, Partition: l.partition}
}
