package archive

import (
	"cmp"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// epochs is the greatest epoch of each partition. Claims that committed nothing are in no manifest, but may have left
// objects: their names have the epoch.
type epochs struct {
	greatest map[epochKey]int64
	topics   map[string][]ledger.Partition // by the topic's segment in keys
}

type epochKey struct {
	topicID   uuid.UUID
	topic     string
	partition int32
}

func (e *epochs) flush(f ledger.Flush) {
	if e.greatest == nil {
		e.greatest, e.topics = map[epochKey]int64{}, map[string][]ledger.Partition{}
	}
	segment := topicSegment(events.TopicPartition{TopicID: f.TopicID, Topic: f.Topic})
	known := func(p ledger.Partition) bool { return p.TopicID == f.TopicID }
	if !slices.ContainsFunc(e.topics[segment], known) {
		e.topics[segment] = append(e.topics[segment], ledger.Partition{TopicID: f.TopicID, Topic: f.Topic})
	}
	e.enter(epochKey{f.TopicID, f.Topic, f.Partition.Partition}, f.Epoch)
}

func (e *epochs) enter(k epochKey, epoch int64) { e.greatest[k] = max(e.greatest[k], epoch) }

// claims yields the greatest epoch of each partition once it has seen the names of all objects.
func (e *epochs) claims(objects iter.Seq2[bucket.Attrs, error]) iter.Seq2[ledger.Claim, error] {
	return func(yield func(ledger.Claim, error) bool) {
		for a, err := range objects {
			if err != nil {
				yield(ledger.Claim{}, err)
				return
			}
			segment, partition, epoch, ok := parseFileKey(a.Key)
			if !ok {
				continue // of no flush
			}
			for _, t := range e.topics[segment] {
				e.enter(epochKey{t.TopicID, t.Topic, partition}, epoch)
			}
		}
		for _, k := range slices.SortedFunc(maps.Keys(e.greatest), epochKey.compare) {
			p := ledger.Partition{TopicID: k.topicID, Topic: k.topic, Partition: k.partition}
			if !yield(ledger.Claim{Partition: p, Epoch: e.greatest[k]}, nil) {
				return
			}
		}
	}
}

func (k epochKey) compare(o epochKey) int {
	return cmp.Or(strings.Compare(string(k.topicID[:]), string(o.topicID[:])), cmp.Compare(k.partition, o.partition))
}

var flushedFile = regexp.MustCompile(`^archive/v1/topic=([^/]+)/.*/p(\d{1,9})-\d+-\d+-(\d{1,18})\.parquet$`)

// parseFileKey takes from the key of a flush's file what fileKey put in.
func parseFileKey(key string) (segment string, partition int32, epoch int64, ok bool) {
	m := flushedFile.FindStringSubmatch(key)
	if m == nil {
		return "", 0, 0, false
	}
	p, err1 := strconv.ParseInt(m[2], 10, 32)
	epoch, err2 := strconv.ParseInt(m[3], 10, 64)
	return m[1], int32(p), epoch, err1 == nil && err2 == nil
}
