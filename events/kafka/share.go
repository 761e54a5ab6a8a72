package kafka

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Sizes of fetches.
const (
	minPartitionBytes = 4 << 10 // below that, many partitions cost more requests than memory
	brokerBytes       = 8 << 20 // of one answer of a broker; the client keeps one of each
	grows             = 8       // an answer in memory is about so many times what it was on the wire: it is compressed
	recordOverhead    = 320     // of one record beside its bytes, about: the client's own form of it and ours
	headerOverhead    = 40
)

// share divides a budget. A third of it is for the answers that the client keeps, one of each broker. While half of it is in
// queues and in hands, the poll loop waits: then the brokers wait too, and nothing is thrown away. That is up to owners that
// work. Those that are stuck must leave the others something: half of the budget is in equal parts, and a lane that has half
// of its part in its queue is paused where the sixth that is common to all is taken.
type share struct {
	budget int64         // bytes of all lanes together; 0: no bound
	fetch  int32         // of one partition at most
	queue  atomic.Int64  // bytes in one lane's queue that are its own; 0: no bound
	over   atomic.Int64  // bytes in queues beyond that
	held   atomic.Int64  // bytes in queues and in the hands of owners
	freed  chan struct{} // holds one after held went down
}

// patience is how long the poll loop waits for owners, before it looks whether others than they are short of records.
const patience = 250 * time.Millisecond

// divide gives each of n lanes its part.
func (s *share) divide(cl *kgo.Client, n int) {
	if s.budget == 0 || n == 0 {
		return
	}
	half := s.budget / 2 / int64(n) / 2 // of a part
	fetch := int32(min(int64(s.fetch), max(half/grows, minPartitionBytes)))
	s.queue.Store(max(half, minPartitionBytes))
	if cl != nil {
		answers := int64(max(1, len(cl.DiscoveredBrokers())))
		cl.UpdateFetchMaxBytes(max(int32(min(brokerBytes, s.budget/3/grows/answers)), fetch), fetch)
	}
}

// await waits until there is room for one more answer, but not for ever.
func (s *share) await(ctx context.Context) {
	if s.budget == 0 || s.held.Load() < s.budget/2 {
		return
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for s.held.Load() >= s.budget/2 {
		select {
		case <-s.freed:
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// moved notes what a lane has in its queue and in its owner's hands, and reports whether that is enough. A change of the
// parts shifts the account a little, until the lane's next one.
func (s *share) moved(l *lane, queued, hand int64) bool {
	before := l.queued + l.hand
	l.queued, l.hand = queued, hand
	if s == nil {
		return false
	}
	if s.held.Add(queued + hand - before); queued+hand < before {
		select {
		case s.freed <- struct{}{}:
		default:
		}
	}
	own := s.queue.Load()
	if own == 0 {
		return false
	}
	over := max(0, queued-own)
	all := s.over.Add(over - l.common)
	l.common = over
	return over > 0 && all > s.budget/6
}

// size is about what records take in memory.
func (s *share) size(records []*kgo.Record) int64 {
	if s.budget == 0 {
		return 0
	}
	n := recordOverhead * len(records)
	for _, r := range records {
		n += len(r.Key) + len(r.Value)
		for _, h := range r.Headers {
			n += headerOverhead + len(h.Key) + len(h.Value)
		}
	}
	return int64(n)
}
