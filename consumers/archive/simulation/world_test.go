package simulation_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/events/kafka"
	"github.com/signalbox-ml/signalbox/events/kafka/kafkatest"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/membucket"
	"github.com/signalbox-ml/signalbox/registry/ledger/ledgertest"
)

const (
	session = 24 * time.Second
	source  = "/simulation"
	// fetchWait is how long the broker holds a fetch of nothing: an idle hour must not cost a million requests.
	fetchWait = 5 * time.Second
	// brokers is more than one, so that leaders can move.
	brokers = 2
)

// world is one seed's.
type world struct {
	seed     uint64
	t        *testing.T
	protocol string
	virtual  *kafkatest.Virtual
	memory   *ledgertest.Memory
	ledger   *watched
	bucket   bucket.Bucket
	scratch  string
	log      *slog.Logger
	said     *lastWords
	topics   *topics
	journal  *journal
	referee  *referee

	archivers []*process
	compactor *process
	tally     tally
	weather   weather
	work      sync.WaitGroup // everything that a process left behind included

	mu       sync.Mutex
	breaches []string
	stats    archive.Stats // of all lives that ended
	peak     int64         // bytes in the memory of one archiver
}

func newWorld(t *testing.T, seed uint64) *world {
	rng := stream(seed, "world")
	w := &world{
		seed: seed, t: t, memory: ledgertest.NewMemory(), bucket: membucket.New(), scratch: t.TempDir(), said: &lastWords{},
		protocol: []string{kafka.GroupClassic, kafka.GroupConsumer}[rng.IntN(2)],
	}
	w.log = slog.New(w.said)
	w.ledger = &watched{Ledger: w.memory}
	virtual, err := kafkatest.NewVirtual(kfake.NumBrokers(brokers), kfake.Ports(9092, 9093), kfake.BrokerConfigs(map[string]string{
		"log.cleaner.backoff.ms":            "1000000000", // compaction is on the plan
		"group.consumer.session.timeout.ms": fmt.Sprint(session.Milliseconds()),
	}))
	if err != nil {
		t.Fatal(err)
	}
	w.virtual = virtual
	virtual.Cluster.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		virtual.Cluster.KeepControl()
		r.(*kmsg.FetchRequest).MaxWaitMillis = int32(fetchWait.Milliseconds())
		return nil, nil, false
	})
	virtual.Cluster.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		virtual.Cluster.KeepControl()
		appendTime(r.(*kmsg.ProduceRequest))
		return nil, nil, false
	})
	w.topics, w.journal = newTopics(w), &journal{world: w, parts: map[place]*past{}}
	w.referee = &referee{world: w, judged: map[place]int64{}, heard: map[place]time.Time{}}
	for i := range 2 + rng.IntN(2) {
		w.archivers = append(w.archivers, &process{world: w, name: fmt.Sprint("archiver-", i), run: archiver})
	}
	w.compactor = &process{world: w, name: "compactor", run: compactor}
	return w
}

// live runs the world for some blocks of hours.
func (w *world) live(blocks int) {
	defer w.virtual.Close()
	w.topics.begin()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	for _, p := range append([]*process{w.compactor}, w.archivers...) {
		w.work.Go(func() { p.live(ctx) })
	}
	for block := range blocks {
		end := time.Now().Add(blockLength)
		var traffic sync.WaitGroup
		traffic.Go(func() { w.topics.traffic(block) })
		w.follow(planOf(w.seed, block, len(w.archivers)))
		traffic.Wait()
		w.heal()
		w.catchUp(block)
		w.referee.inspect(w.t.Context())
		if w.broken() {
			break
		}
		if d := time.Until(end); d > 0 {
			wait(d)
		}
	}
	stop()
	w.work.Wait()
	w.referee.last(w.t.Context())
	w.topics.end()
}

// heal ends what waits to happen, and waits for what goes on by itself.
func (w *world) heal() {
	for _, p := range append([]*process{w.compactor}, w.archivers...) {
		if l, _ := p.now(); l != nil {
			l.disarm()
		}
	}
	_, most := lengths(bucketDown)
	wait(most + 3*time.Minute) // a late call, and a process that is away
}

// patience is how long the archive may take to reach the end of the log without faults.
const patience = 15 * time.Minute

func (w *world) catchUp(block int) {
	for bound := time.Now().Add(patience); ; wait(10 * time.Second) {
		behind := w.behind()
		if behind == "" {
			return
		}
		if time.Now().After(bound) {
			w.breach("block %d: not archived %s after the faults: %s", block, patience, behind)
			return
		}
	}
}

// behind says which partition is not archived to its end, or nothing.
func (w *world) behind() string {
	states, err := w.memory.History(context.Background())
	if err != nil {
		return err.Error()
	}
	next := map[place]int64{}
	for _, s := range states {
		next[placeOf(s.Partition)] = s.Next
	}
	for _, p := range w.topics.partitions() {
		if at, ok := next[p.place]; p.end > 0 && (!ok || at < p.end) {
			return fmt.Sprintf("%s/%d is archived to %d of %d", p.topic, p.partition, at, p.end)
		}
	}
	return ""
}

// watchMemory holds an archiver to its budget until done. A chunk of each type of each partition comes on top of records.
func (w *world) watchMemory(name string, a *archive.Archiver, budget int64, done <-chan struct{}) {
	tick := time.NewTicker(3 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		n := a.Stats().Buffered
		if n > budget+budget/2 {
			w.breach("%s has %d bytes in memory, its budget is %d", name, n, budget)
		}
		w.mu.Lock()
		w.peak = max(w.peak, n)
		w.mu.Unlock()
	}
}

// bury adds what an archiver did.
func (w *world) bury(s archive.Stats) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stats.Flushes += s.Flushes
	w.stats.Retries += s.Retries
	w.stats.Fenced += s.Fenced
	w.stats.Conflicts += s.Conflicts
}

// breach notes a broken promise.
func (w *world) breach(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.breaches) == 0 { // where a goroutine is left behind, the bubble ends the program before anything else is told
		fmt.Fprintf(os.Stderr, "seed %d at %s: %s\n", w.seed, time.Now().Format("02 15:04:05"), fmt.Sprintf(format, args...))
	}
	const most = 40
	if len(w.breaches) < most {
		w.breaches = append(w.breaches, fmt.Sprintf("%s %s", time.Now().Format("02 15:04:05"), fmt.Sprintf(format, args...)))
	}
}

func (w *world) broken() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.breaches) > 0
}

// pick returns one of n.
func pick[T any](rng *rand.Rand, of []T) T { return of[rng.IntN(len(of))] }

// lastWords keeps the newest warnings of every process.
type lastWords struct {
	mu    sync.Mutex
	lines []string
}

// Enabled implements slog.Handler.
func (*lastWords) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// Handle implements slog.Handler.
func (h *lastWords) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "kafka client" {
		return nil // says much while a cable is cut
	}
	line := fmt.Sprintf("%s %s %s", r.Time.Format("02 15:04:05"), r.Level, r.Message)
	r.Attrs(func(a slog.Attr) bool { line += " " + a.String(); return true })
	h.mu.Lock()
	defer h.mu.Unlock()
	const most = 60
	if h.lines = append(h.lines, line); len(h.lines) > most {
		h.lines = h.lines[1:]
	}
	return nil
}

// WithAttrs implements slog.Handler.
func (h *lastWords) WithAttrs([]slog.Attr) slog.Handler { return h }

// WithGroup implements slog.Handler.
func (h *lastWords) WithGroup(string) slog.Handler { return h }
