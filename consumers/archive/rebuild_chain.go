package archive

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// chain is how far the manifests were read, in order of their keys: topic by topic, of each the flushes of its partitions
// and then its swaps.
type chain struct {
	some      bool
	topicID   uuid.UUID
	topic     string
	partition int32
	flushes   chainEnd
	swaps     chainEnd
}

// chainEnd is the end of one chain.
type chainEnd struct {
	next   int64 // offset or number
	seq    int64
	epoch  int64
	digest cas.Digest // of the last manifest
}

// follows says what keeps a manifest from being the next one.
func (l *chainEnd) follows(at, seq int64, previous cas.Digest) string {
	switch {
	case at > l.next:
		return fmt.Sprintf("the manifests of %d to %d before it are missing", l.next, at)
	case at < l.next:
		return fmt.Sprintf("the one before goes up to %d, this one begins at %d: they are of two histories", l.next, at)
	case previous != l.digest:
		return fmt.Sprintf("it continues %q, the one before is %q: one of the two was changed, or they are of two histories", previous, l.digest)
	case seq <= l.seq:
		return fmt.Sprintf("it is step %d, the one before step %d", seq, l.seq)
	}
	return ""
}

// flush takes the next manifest of a flush, with its digest, or says what is wrong with it.
func (c *chain) flush(f ledger.Flush, sum cas.Digest) (newTopic, newPartition bool, what string) {
	newTopic = !c.some || c.topicID != f.TopicID
	newPartition = newTopic || c.partition != f.Partition.Partition
	if newTopic {
		*c = chain{some: true, topicID: f.TopicID, topic: f.Topic, swaps: chainEnd{next: 1}}
	}
	if newPartition {
		c.partition, c.flushes = f.Partition.Partition, chainEnd{}
	}
	if what = c.flushes.follows(f.Start, f.Seq, f.Previous); what != "" {
		return newTopic, newPartition, what
	}
	rows := int64(0)
	for _, file := range f.Files {
		rows += file.Rows
	}
	switch {
	case f.Topic != c.topic:
		what = fmt.Sprintf("it is of topic %q, others of the same topic id are of %q", f.Topic, c.topic)
	case f.Epoch < max(c.flushes.epoch, 1):
		what = fmt.Sprintf("it is of epoch %d, the one before of epoch %d", f.Epoch, c.flushes.epoch)
	case rows != f.Records:
		what = fmt.Sprintf("it has %d records, its files %d rows", f.Records, rows)
	}
	c.flushes = chainEnd{next: f.End, seq: f.Seq, epoch: f.Epoch, digest: sum}
	return newTopic, newPartition, what
}

// swap takes the next manifest of a swap, with its digest, or says what is wrong with it.
func (c *chain) swap(s ledger.Swap, sum cas.Digest) (what string) {
	switch {
	case !c.some || c.topicID != s.TopicID:
		return "its topic has no flushes: all their manifests are missing"
	case c.topic != s.Topic:
		return fmt.Sprintf("it is of topic %q, others of the same topic id are of %q", s.Topic, c.topic)
	}
	what = c.swaps.follows(s.N, s.Seq, s.Previous)
	c.swaps = chainEnd{next: s.N + 1, seq: s.Seq, digest: sum}
	return what
}
