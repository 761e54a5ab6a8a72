package kafka

import (
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Sizes of fetches.
const (
	minPartitionBytes = 16 << 10   // below that, many partitions cost more requests than memory
	brokerBytes       = 8 << 20    // of one answer of a broker; the client keeps one of each
	recordOverhead    = int64(128) // of one record beside its bytes, about
)

// share divides a budget between the lanes of a group: each has its own part, so that lanes whose owner is stuck take
// nothing from the others. A lane may hold half of its part in its queue, then its partition is paused; one fetch that was
// on its way and one in the owner's hands fill the rest.
type share struct {
	budget int64        // bytes of all lanes together; 0: no bound
	fetch  int32        // of one partition at most
	queue  atomic.Int64 // bytes in one lane's queue at which its partition is paused; 0: no bound
}

// divide gives each of n lanes its part.
func (s *share) divide(cl *kgo.Client, n int) {
	if s.budget == 0 || n == 0 {
		return
	}
	part := s.budget / int64(n)
	fetch := int32(min(int64(s.fetch), max(part/4, minPartitionBytes)))
	s.queue.Store(max(part/2, minPartitionBytes))
	if cl != nil {
		cl.UpdateFetchMaxBytes(max(brokerBytes, fetch), fetch)
	}
}

// full reports whether a lane has enough.
func (s *share) full(queued int64) bool {
	if s == nil {
		return false
	}
	most := s.queue.Load()
	return most > 0 && queued >= most
}

// size is about what records take in memory.
func (s *share) size(records []*kgo.Record) int64 {
	if s.budget == 0 {
		return 0
	}
	n := recordOverhead * int64(len(records))
	for _, r := range records {
		n += int64(len(r.Key) + len(r.Value))
		for _, h := range r.Headers {
			n += int64(len(h.Key) + len(h.Value))
		}
	}
	return n
}
