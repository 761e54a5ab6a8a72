package kafka_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/events"
)

// offsets reads [start, end) of the topic's partition 0.
func (b *bubble) offsets(tp events.TopicPartition, start, end int64) (got []int64, err error) {
	for r, err := range b.adm.Records(b.t.Context(), tp, start, end) {
		if err != nil {
			return got, err
		}
		if want := fmt.Sprint("v", r.Offset); string(r.Value) != want || len(r.Headers) != 1 || r.Key != nil || r.AppendTime.IsZero() {
			b.t.Errorf("%+v, want %s with a header and without a key", r, want)
		}
		got = append(got, r.Offset)
	}
	return got, nil
}

// transaction appends values to the topic and commits them, or not.
func (b *bubble) transaction(commit kgo.TransactionEndTry, values ...string) {
	b.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.cfg.Brokers...), kgo.Dialer(b.cfg.Dial), kgo.TransactionalID("t"))
	if err != nil {
		b.t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.BeginTransaction(); err != nil {
		b.t.Fatal(err)
	}
	b.values(cl, values...)
	if err := cl.EndTransaction(b.t.Context(), commit); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bubble) values(cl *kgo.Client, values ...string) {
	b.t.Helper()
	for _, v := range values {
		r := &kgo.Record{Topic: topic, Value: []byte(v), Headers: []kgo.RecordHeader{{Key: "h"}}}
		if err := cl.ProduceSync(b.t.Context(), r).FirstErr(); err != nil {
			b.t.Fatal(err)
		}
	}
}

// TestRecordsOfARange: what a reader of committed records sees, also where the last offset is a marker, an aborted record,
// or gone.
func TestRecordsOfARange(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, b *bubble) {
		b.values(b.raw, "v0", "v1")
		b.transaction(kgo.TryCommit, "v2") // and a marker at 3
		b.transaction(kgo.TryAbort, "v4")  // and a marker at 5
		tp := events.TopicPartition{Topic: topic}
		bounds, err := b.adm.Bounds(t.Context(), `^events\.`)
		if err != nil || len(bounds) != 1 {
			t.Fatalf("%v %v", bounds, err)
		}
		for at, o := range bounds {
			if tp = at; o != (events.Bounds{Start: 0, End: 6}) {
				t.Errorf("bounds %+v", o)
			}
		}
		if ids, err := b.adm.TopicIDs(t.Context(), topic); err != nil || ids[topic] != tp.TopicID {
			t.Errorf("id %x, want %x: %v", tp.TopicID, ids[topic], err)
		}
		for _, tc := range []struct {
			start, end int64
			want       []int64
		}{{0, 6, []int64{0, 1, 2}}, {1, 2, []int64{1}}, {3, 6, nil}, {2, 4, []int64{2}}, {1, 1, nil}} {
			if got, err := b.offsets(tp, tc.start, tc.end); err != nil || !slices.Equal(got, tc.want) {
				t.Errorf("[%d, %d): %v %v, want %v", tc.start, tc.end, got, err, tc.want)
			}
		}
		var del kadm.Offsets
		del.Add(kadm.Offset{Topic: topic, At: 2})
		if _, err := kadm.NewClient(b.raw).DeleteRecords(t.Context(), del); err != nil {
			t.Fatal(err)
		}
		if got, err := b.offsets(tp, 0, 6); err != nil || !slices.Equal(got, []int64{2}) {
			t.Errorf("after retention: %v %v", got, err)
		}
		if bounds, err := b.adm.Bounds(t.Context(), `^events\.`); err != nil || bounds[tp] != (events.Bounds{Start: 2, End: 6}) {
			t.Errorf("after retention: %v %v", bounds, err)
		}
	})
}

func TestRecordsThatCannotBeRead(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, b *bubble) {
		b.values(b.raw, "v0")
		ids, err := b.adm.TopicIDs(t.Context(), topic)
		if err != nil {
			t.Fatal(err)
		}
		tp := events.TopicPartition{TopicID: ids[topic], Topic: topic}
		began := time.Now()
		if got, err := b.offsets(tp, 0, 2); err == nil || len(got) != 1 {
			t.Errorf("an offset that never comes: %v %v", got, err)
		}
		if d := time.Since(began); d > 5*time.Minute {
			t.Errorf("gave up after %s", d)
		}
		tp.TopicID[0]++
		if _, err := b.offsets(tp, 0, 1); !errors.Is(err, events.ErrNoTopic) {
			t.Errorf("another topic of the name: %v", err)
		}
		if bounds, err := b.adm.Bounds(t.Context(), `^none$`); err != nil || len(bounds) != 0 {
			t.Errorf("no topic: %v %v", bounds, err)
		}
		if _, err := b.adm.Bounds(t.Context(), `(`); err == nil {
			t.Error("a pattern that is none is taken")
		}
	})
}
