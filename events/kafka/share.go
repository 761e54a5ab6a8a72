package kafka

import (
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Sizes of fetches.
const (
	minPartitionBytes = 16 << 10 // below that, many partitions cost more requests than memory
	brokerBytes       = 8 << 20  // of one answer of a broker; the client keeps one of each
	grows             = 8        // an answer in memory is about so many times what it was on the wire: it is compressed
	recordOverhead    = 320      // of one record beside its bytes, about: the client's own form of it and ours
	headerOverhead    = 40
)

// share divides a budget between the lanes of a group. A quarter of it is for whoever needs it: a topic that is read from
// its start beside many that are quiet. The rest is in equal parts, so that lanes whose owner is stuck leave the others
// theirs. A lane that has a third of its part in its queue, when the common quarter is taken, is paused; one fetch that was
// on its way and one in the owner's hands fill its part.
type share struct {
	budget int64        // bytes of all lanes together; 0: no bound
	fetch  int32        // of one partition at most
	queue  atomic.Int64 // bytes in one lane's queue that are its own; 0: no bound
	over   atomic.Int64 // bytes in queues beyond that
}

// divide gives each of n lanes its part.
func (s *share) divide(cl *kgo.Client, n int) {
	if s.budget == 0 || n == 0 {
		return
	}
	part := s.budget / 4 * 3 / int64(n)
	fetch := int32(min(int64(s.fetch), max(part/3, minPartitionBytes)))
	s.queue.Store(max(part/3, minPartitionBytes))
	if cl != nil {
		cl.UpdateFetchMaxBytes(max(int32(min(brokerBytes, s.budget/grows)), fetch), fetch)
	}
}

// moved notes that a lane's queue has other bytes than before, and reports whether that is enough. A change of the parts
// shifts the account a little, until the lane's next one.
func (s *share) moved(l *lane, queued int64) bool {
	l.queued = queued
	if s == nil {
		return false
	}
	own := s.queue.Load()
	if own == 0 {
		return false
	}
	over := max(0, queued-own)
	all := s.over.Add(over - l.common)
	l.common = over
	return over > 0 && all > s.budget/4
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
