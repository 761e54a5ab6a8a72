package simulation_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/events"
)

// mood is how busy a topic is for a while.
type mood struct {
	share                int // in percent
	shortest, longest    time.Duration
	leastGap, longestGap time.Duration // between sends; 0 for nothing at all
	records              int           // of a send at most
}

func moods() []mood {
	return []mood{
		{share: 50, shortest: 15 * time.Minute, longest: 100 * time.Minute},
		{share: 28, shortest: 5 * time.Minute, longest: 40 * time.Minute, leastGap: 2 * time.Minute, longestGap: 12 * time.Minute, records: 3},
		{share: 15, shortest: 5 * time.Minute, longest: 20 * time.Minute, leastGap: 5 * time.Second, longestGap: time.Minute, records: 8},
		{share: 7, shortest: 20 * time.Second, longest: time.Minute, leastGap: 100 * time.Millisecond, longestGap: 2 * time.Second, records: 30},
	}
}

// traffic writes to every topic as long as a block has faults.
func (ts *topics) traffic(block int) {
	var work sync.WaitGroup
	for _, name := range ts.names {
		work.Go(func() {
			if name == events.TopicArchive {
				ts.relay(block)
				return
			}
			ts.flow(name, block)
		})
	}
	work.Wait()
}

func (ts *topics) flow(name string, block int) {
	rng := stream(ts.world.seed, "traffic", name, block)
	end := time.Now().Add(blockFaults)
	for time.Now().Before(end) {
		m := draw(rng)
		over := time.Now().Add(between(rng, m.shortest, m.longest))
		if over.After(end) {
			over = end
		}
		if m.records == 0 {
			wait(time.Until(over))
			continue
		}
		for time.Now().Before(over) {
			wait(between(rng, m.leastGap, m.longestGap))
			ts.send(name, rng, 1+rng.IntN(m.records))
		}
	}
}

func draw(rng *rand.Rand) mood {
	n := rng.IntN(100)
	for _, m := range moods() {
		if n -= m.share; n < 0 {
			return m
		}
	}
	return moods()[0]
}

// send appends n records to a partition of a topic.
func (ts *topics) send(name string, rng *rand.Rand, n int) {
	ts.lock(name)
	defer ts.unlock(name)
	recs := ts.records(name, rng.Int32N(ts.sizes[name]), rng, n)
	if name == topicPayments {
		ts.transact(between(rng, 0, 20*time.Second), rng.IntN(5) > 1, recs...)
		return
	}
	ts.produce(recs...)
}

// sent is an event as it was sent: a producer that heard no answer sends it again.
type sent struct {
	key, value []byte
	headers    []kgo.RecordHeader
}

func (ts *topics) records(name string, partition int32, rng *rand.Rand, n int) []*kgo.Record {
	recs := make([]*kgo.Record, n)
	for i := range recs {
		s := ts.draft(name, rng)
		recs[i] = &kgo.Record{Topic: name, Partition: partition, Key: s.key, Value: s.value, Headers: s.headers}
	}
	return recs
}

// draft makes an event, or something that is none, or takes one that was sent before.
func (ts *topics) draft(name string, rng *rand.Rand) sent {
	ts.mu.Lock()
	kept := ts.kept[name]
	ts.mu.Unlock()
	if len(kept) > 0 && rng.IntN(12) == 0 {
		return pick(rng, kept)
	}
	id := ts.idOf(name)
	s := sent{key: fmt.Append(nil, "key-", rng.IntN(7)), value: fmt.Appendf(nil, `{"id":%q,"text":%q}`, id, strings.Repeat("word ", rng.IntN(200)))}
	header := func(kv ...string) {
		for kv := range slices.Chunk(kv, 2) {
			s.headers = append(s.headers, kgo.RecordHeader{Key: kv[0], Value: []byte(kv[1])})
		}
	}
	switch rng.IntN(16) {
	case 0:
		return sent{key: s.key, value: fmt.Append(nil, "plain ", id)} // no event at all
	case 1:
		header("content-type", "application/cloudevents+json")
		s.value = fmt.Appendf(nil, `{"specversion":"1.0","id":%q,"source":"/s","type":"structured","data":{"n":%d}}`, id, rng.IntN(1000))
		return s
	case 2:
		header("ce_specversion", "1.0", "content-type", "application/json", "half", "\xff\x00") // no event: it lacks its id
		return s
	}
	typ := fmt.Sprint("type.", rng.IntN(3))
	if rng.IntN(10) == 0 {
		typ = fmt.Sprint("rare.", rng.IntN(60))
	}
	now := time.Now().UTC()
	header("ce_specversion", "1.0", "ce_id", id, "ce_source", source, "ce_type", typ, "content-type", "application/json")
	if rng.IntN(3) == 0 {
		header("ce_time", now.Add(-between(rng, 0, 30*time.Hour)).Format(time.RFC3339Nano))
	}
	if rng.IntN(4) == 0 {
		header("ce_recordedtime", now.Add(-between(rng, 0, 3*time.Hour)).Format(time.RFC3339Nano), "ce_subject", "s", "extra", "")
	}
	if rng.IntN(8) == 0 {
		const most = 50
		ts.mu.Lock()
		if len(ts.kept[name]) < most {
			ts.kept[name] = append(ts.kept[name], s)
		} else {
			ts.kept[name][rng.IntN(most)] = s
		}
		ts.mu.Unlock()
	}
	return s
}

// relay publishes what the archive announced, as the outbox does.
func (ts *topics) relay(block int) {
	rng := stream(ts.world.seed, "relay", block)
	for end := time.Now().Add(blockFaults); time.Now().Before(end); wait(between(rng, 30*time.Second, 5*time.Minute)) {
		evs, err := ts.world.memory.PendingEvents(ts.world.t.Context())
		if err != nil {
			ts.world.breach("outbox: %v", err)
			return
		}
		ts.mu.Lock()
		fresh := evs[ts.made[events.TopicArchive]:]
		ts.made[events.TopicArchive] = len(evs)
		ts.mu.Unlock()
		if len(fresh) == 0 {
			continue
		}
		var recs []*kgo.Record
		for _, ev := range fresh {
			recs = append(recs, &kgo.Record{Topic: events.TopicArchive, Value: ev.Data(), Headers: []kgo.RecordHeader{
				{Key: "ce_specversion", Value: []byte("1.0")}, {Key: "ce_id", Value: []byte(ev.ID())}, {Key: "ce_source", Value: []byte(ev.Source())},
				{Key: "ce_type", Value: []byte(ev.Type())}, {Key: "content-type", Value: []byte("application/json")},
			}})
		}
		ts.lock(events.TopicArchive)
		ts.produce(recs...)
		ts.unlock(events.TopicArchive)
	}
}
