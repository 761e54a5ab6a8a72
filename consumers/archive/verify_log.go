package archive

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// logReader is what Verify asks Kafka.
type logReader interface {
	// Bounds returns where the log of each partition begins and ends, of every topic that matches pattern.
	Bounds(ctx context.Context, pattern string) (map[events.TopicPartition]events.Bounds, error)
	// Records yields the committed records of tp from offset start on and below end, in order.
	Records(ctx context.Context, tp events.TopicPartition, start, end int64) iter.Seq2[events.Record, error]
}

// log holds the archive against Kafka. The ledger was read first: what Kafka has is not older.
func (v *verification) log(ctx context.Context) error {
	bounds, err := v.Log.Bounds(ctx, events.ArchivedTopics)
	if err != nil {
		return err
	}
	v.report.Kafka = &LogReport{Partitions: len(bounds)}
	names, known := map[string]uuid.UUID{}, map[events.TopicPartition]bool{}
	for i, s := range v.states {
		tp := events.TopicPartition{TopicID: s.TopicID, Topic: s.Topic, Partition: s.Partition.Partition}
		names[s.Topic], known[tp] = s.TopicID, true
		if b, ok := bounds[tp]; ok {
			if err := v.logPartition(ctx, s, b); err != nil {
				return err
			}
		}
		if i+1 < len(v.states) && v.states[i+1].TopicID == s.TopicID {
			continue
		}
		if err := v.seek(ctx); err != nil {
			return err
		}
	}
	for _, tp := range slices.SortedFunc(maps.Keys(bounds), inNameOrder) {
		b := bounds[tp]
		if known[tp] {
			continue
		}
		if err := v.unknown(ctx, tp, b, names[tp.Topic]); err != nil {
			return err
		}
	}
	return nil
}

// logPartition holds a partition against its log.
func (v *verification) logPartition(ctx context.Context, s ledger.PartitionState, b events.Bounds) error {
	if s.Next > b.End {
		v.faultOf(s.Partition, "the archive has offsets up to %d, the log ends at %d: Kafka has lost records, or these are other brokers; "+
			"the partition is not archived until somebody has looked", s.Next, b.End)
		return nil
	}
	if b.Start > s.Next {
		now, _, err := v.nextOf(ctx, s.Partition)
		if err != nil {
			return err
		}
		if b.Start > now {
			v.faultOf(s.Partition, "offsets %d to %d were removed by retention before they were archived: %d offsets are lost; "+
				"is an archiver running, and is retention long enough?", now, b.Start, b.Start-now)
		}
	}
	if !v.Deep || b.Start >= s.Next {
		return nil
	}
	return v.compare(ctx, s, b.Start)
}

// nextOf reads again how far a partition is.
func (v *verification) nextOf(ctx context.Context, p ledger.Partition) (next int64, known bool, err error) {
	states, err := v.Ledger.History(ctx)
	for _, s := range states {
		if s.TopicID == p.TopicID && s.Partition.Partition == p.Partition {
			return s.Next, true, err
		}
	}
	return 0, false, err
}

// unknown judges a partition that the ledger does not have: of another topic of the name whose id is was, if that is not
// zero.
func (v *verification) unknown(ctx context.Context, tp events.TopicPartition, b events.Bounds, was uuid.UUID) error {
	waits := ""
	switch {
	case b.Start > 0:
		waits = fmt.Sprintf("retention has removed offsets up to %d of it", b.Start)
	case b.Start < b.End:
		for r, err := range v.Log.Records(ctx, tp, b.Start, b.End) {
			if err != nil {
				return err
			}
			if time.Since(r.AppendTime) > v.Grace {
				waits = fmt.Sprintf("its first record is of %s", r.AppendTime.UTC().Format(time.RFC3339))
			}
			break // one is enough
		}
	}
	if waits == "" {
		return nil // nothing in it, or nothing that could be archived by now
	}
	_, claimed, err := v.nextOf(ctx, ledger.Partition{TopicID: tp.TopicID, Partition: tp.Partition})
	if err != nil || claimed {
		return err
	}
	if was != uuid.Nil && was != uuid.UUID(tp.TopicID) {
		v.fault("%s: the topic was made again with id %s, which the ledger does not know, and %s: is an archiver running?", tp, tp.ID(), waits)
		return nil
	}
	v.fault("%s is in Kafka and not in the ledger, and %s: is an archiver running?", tp, waits)
	return nil
}

func inNameOrder(a, b events.TopicPartition) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
}
