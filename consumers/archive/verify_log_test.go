package archive_test

import (
	"bytes"
	"context"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/events"
)

// fakeLog is Kafka as Verify sees it.
type fakeLog struct {
	bounds map[events.TopicPartition]events.Bounds
	recs   map[events.TopicPartition][]events.Record
	err    error
}

func (l fakeLog) Bounds(_ context.Context, pattern string) (map[events.TopicPartition]events.Bounds, error) {
	out := map[events.TopicPartition]events.Bounds{}
	for tp, b := range l.bounds {
		if regexp.MustCompile(pattern).MatchString(tp.Topic) {
			out[tp] = b
		}
	}
	return out, l.err
}

func (l fakeLog) Records(_ context.Context, tp events.TopicPartition, start, end int64) iter.Seq2[events.Record, error] {
	return func(yield func(events.Record, error) bool) {
		for _, r := range l.recs[tp] {
			if r.Offset >= max(start, l.bounds[tp].Start) && r.Offset < end && !yield(r, nil) {
				return
			}
		}
		if l.err != nil {
			yield(events.Record{}, l.err)
		}
	}
}

// kafka is a log that still has everything, of topics that still exist.
func (p *past) kafka() fakeLog {
	l := fakeLog{bounds: map[events.TopicPartition]events.Bounds{}, recs: maps.Clone(p.logs)}
	for tp, recs := range p.logs {
		if tp != p.old {
			l.bounds[tp] = events.Bounds{Start: recs[0].Offset, End: p.ends[tp]}
		}
	}
	return l
}

func TestVerifyAgainstTheLog(t *testing.T) {
	p := newPast(t, newWorld())
	gone := partitionOf("events.unheard", 0)
	again := p.late
	again.TopicID[3]++
	at := func(tp events.TopicPartition, b events.Bounds) func(*fakeLog) {
		return func(l *fakeLog) { l.bounds[tp] = b }
	}
	has := func(tp events.TopicPartition, age time.Duration, b events.Bounds) func(*fakeLog) {
		return func(l *fakeLog) {
			l.bounds[tp], l.recs[tp] = b, records("t", time.Now().Add(-age), 0)
		}
	}
	changed := func(change func(r *events.Record)) func(*fakeLog) {
		return func(l *fakeLog) {
			l.recs[p.now] = slices.Clone(l.recs[p.now])
			r := &l.recs[p.now][7]
			r.Headers = slices.Clone(r.Headers)
			change(r)
		}
	}
	for name, tc := range map[string]struct {
		change func(l *fakeLog)
		want   string
		deep   bool
	}{
		"nothing":                {func(*fakeLog) {}, "", false},
		"a partition not read":   {has(gone, time.Hour, events.Bounds{End: 1}), "events.unheard/0 is in Kafka and not in the ledger, and its first record is of", false},
		"a young partition":      {has(gone, time.Second, events.Bounds{End: 1}), "", false},
		"an empty partition":     {at(gone, events.Bounds{}), "", false},
		"a partition never read": {at(gone, events.Bounds{Start: 4, End: 4}), "retention has removed offsets up to 4", false},
		"a topic made again":     {has(again, time.Hour, events.Bounds{End: 1}), "events.late/3: the topic was made again with id ", false},
		"a dead topic":           {func(l *fakeLog) { delete(l.bounds, p.late) }, "", false},
		"a shorter log":          {at(p.now, events.Bounds{End: 5}), "the log ends at 5: Kafka has lost records", false},
		"retention":              {at(p.now, events.Bounds{Start: 30, End: 1 << 20}), "", true},
		"retention too early":    {at(p.now, events.Bounds{Start: p.ends[p.now] + 7, End: 1 << 20}), "7 offsets are lost", false},
		"not ours":               {at(events.TopicPartition{Topic: "else"}, events.Bounds{End: 9}), "", false},
		"value":                  {changed(func(r *events.Record) { r.Value = append(bytes.Clone(r.Value), ' ') }), "has another record than the log", true},
		"key":                    {changed(func(r *events.Record) { r.Key = []byte{} }), "has another record than the log", true},
		"time":                   {changed(func(r *events.Record) { r.AppendTime = r.AppendTime.Add(time.Millisecond) }), "has another record than the log", true},
		"header":                 {changed(func(r *events.Record) { r.Headers = append(r.Headers, events.RecordHeader{Key: "x"}) }), "has another record than the log", true},
		"not archived": {func(l *fakeLog) {
			extra := l.recs[p.now][7]
			for slices.ContainsFunc(l.recs[p.now], func(r events.Record) bool { return r.Offset == extra.Offset }) {
				extra.Offset++
			}
			l.recs[p.now] = append(slices.Clone(l.recs[p.now]), extra)
			slices.SortFunc(l.recs[p.now], func(a, b events.Record) int { return int(a.Offset - b.Offset) })
		}, "is in the log and not in the archive", true},
	} {
		t.Run(name, func(t *testing.T) {
			l := p.kafka()
			tc.change(&l)
			report, err := archive.Verifier{Ledger: p.ledger, Bucket: p.bucket, Log: l, Deep: tc.deep || name == "nothing"}.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			all := strings.Join(report.Faults, "\n")
			if (tc.want == "") != (all == "") || !strings.Contains(all, tc.want) {
				t.Errorf("found %q, want %q", all, tc.want)
			}
			if name == "nothing" && (report.Kafka.Partitions != 4 || report.Kafka.Duplicates == 0 || report.Kafka.Compared != p.records()-report.Kafka.Duplicates) {
				t.Errorf("%+v, want all of %d records but the duplicates", report.Kafka, p.records())
			}
		})
	}
}

// records counts what kafka has.
func (p *past) records() (n int64) {
	for tp, recs := range p.logs {
		if tp != p.old {
			n += int64(len(recs))
		}
	}
	return n
}

func TestVerifyWithoutTheLog(t *testing.T) {
	p := newPast(t, newWorld())
	l := p.kafka()
	l.err = errDown
	if _, err := (archive.Verifier{Ledger: p.ledger, Bucket: p.bucket, Log: l, Deep: true}).Run(t.Context()); err == nil {
		t.Error("a log that cannot be read was not missed")
	}
	if report := p.whole(t); report.Kafka != nil {
		t.Errorf("%+v", report.Kafka)
	}
}
