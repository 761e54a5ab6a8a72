package simulation_test

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/events"
)

// past is all that a partition ever had, in order.
type past struct {
	topic string
	recs  []events.Record
	next  int64
	gone  map[int64]removal // records that were removed before they were archived
}

// removal is why and when a record was removed from the log.
type removal struct {
	by fault
	at time.Time
}

// from returns the records at or behind an offset.
func (p *past) from(offset int64) []events.Record {
	i, _ := slices.BinarySearchFunc(p.recs, offset, func(r events.Record, o int64) int { return int(r.Offset - o) })
	return p.recs[i:]
}

// journal is the truth: it reads the log itself, before anything is removed from it.
type journal struct {
	world *world
	mu    sync.Mutex
	parts map[place]*past
}

// of returns a partition's past, nil if it has none.
func (j *journal) of(p place) *past {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.parts[p]
}

// read reads on in some topics, or in all. Nobody removes anything meanwhile.
func (j *journal) read(names ...string) {
	var due []partitionInfo
	j.mu.Lock()
	for _, p := range j.world.topics.partitions(names...) {
		if j.parts[p.place] == nil {
			j.parts[p.place] = &past{topic: p.topic, gone: map[int64]removal{}}
		}
		if j.parts[p.place].next < p.stable {
			due = append(due, p)
		}
	}
	j.mu.Unlock()
	at := map[place]int64{}
	for _, p := range due {
		at[p.place] = j.of(p.place).next
	}
	j.consume(due, at, func(p place, r *kgo.Record) {
		j.mu.Lock()
		defer j.mu.Unlock()
		past := j.parts[p]
		if r.Offset < past.next {
			j.world.breach("the journal met offset %d of %s again", r.Offset, past.topic)
			return
		}
		past.next = r.Offset + 1
		if !r.Attrs.IsControl() {
			past.recs = append(past.recs, recordOf(r))
		}
	})
}

// consume reads committed records of partitions, from an offset of each up to what is stable.
func (j *journal) consume(parts []partitionInfo, at map[place]int64, take func(place, *kgo.Record)) {
	offsets, by := map[string]map[int32]kgo.Offset{}, map[string]map[int32]partitionInfo{}
	for _, p := range parts {
		if p.stable <= p.start {
			continue
		}
		if offsets[p.topic] == nil {
			offsets[p.topic], by[p.topic] = map[int32]kgo.Offset{}, map[int32]partitionInfo{}
		}
		offsets[p.topic][p.partition], by[p.topic][p.partition] = kgo.NewOffset().At(max(at[p.place], p.start)), p
	}
	if len(by) == 0 {
		return
	}
	cl := j.world.topics.client(kgo.ConsumePartitions(offsets), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	for len(by) > 0 && ctx.Err() == nil {
		fetches := cl.PollFetches(ctx)
		fetches.EachRecord(func(r *kgo.Record) {
			p, due := by[r.Topic][r.Partition]
			if !due || r.Offset >= p.stable {
				return
			}
			take(p.place, r)
			if r.Offset == p.stable-1 {
				if delete(by[r.Topic], r.Partition); len(by[r.Topic]) == 0 {
					delete(by, r.Topic)
				}
			}
		})
	}
	for topic := range by {
		j.world.breach("the journal cannot read %s to its end", topic)
	}
}

func recordOf(r *kgo.Record) events.Record {
	out := events.Record{Offset: r.Offset, Key: r.Key, Value: r.Value, AppendTime: r.Timestamp}
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, events.RecordHeader{Key: h.Key, Value: h.Value})
	}
	return out
}

// remove notes which records of a partition are removed before anybody archived them: those from next on that lost names.
// It returns how many records are removed, archived or not.
func (j *journal) remove(p place, next int64, why fault, lost func(offset int64) bool) (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range j.parts[p].recs {
		if !lost(r.Offset) {
			continue
		}
		n++
		if r.Offset >= next && j.parts[p].gone[r.Offset].by == "" {
			j.parts[p].gone[r.Offset] = removal{why, time.Now()}
		}
	}
	return n
}
