package archive_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// redelivered is a log in which events come again, in ways that make some deliveries as good as none.
func redelivered() []events.Record {
	at := start()
	own := []string{"ce_time", at.Format(time.RFC3339)}
	recs := []events.Record{
		record(0, "t", at.Add(-time.Minute), own...), // an hour before the others
		record(1, "t", at, own...), record(2, "t", at.Add(time.Second), own...),
		record(3, "t", at, own...), record(4, "t", at.Add(time.Second), own...),
		{Offset: 5, AppendTime: at, Value: []byte("plain")}, {Offset: 6, AppendTime: at, Value: []byte("plain")},
		record(7, "t", at), record(8, "t", at.Add(time.Second)), record(9, "t", at.Add(time.Second)),
		record(10, "t", at.Add(time.Second), own...),
		record(11, "t", at, append(own, "ce_recordedtime", at.Add(2*time.Second).Format(time.RFC3339))...),
		record(12, "t", at.Add(time.Second), append(own, "ce_recordedtime", at.Add(time.Second).Format(time.RFC3339))...),
	}
	for offset, like := range map[int]int{2: 1, 4: 3, 8: 7, 9: 7, 10: 0, 12: 11} {
		recs[offset].Headers[1], recs[offset].Value = recs[like].Headers[1], recs[like].Value
	}
	recs[4].Value = []byte(`"another story"`)
	return recs
}

// without leaves out the rows of some offsets.
func without(offsets ...int64) merging {
	return func(_ *testing.T, rows []segment.Row) []segment.Row {
		return slices.DeleteFunc(rows, func(r segment.Row) bool { return slices.Contains(offsets, r.Record.Offset) })
	}
}

// altered changes the row of an offset.
func altered(offset int64, change func(*events.Record)) merging {
	return func(_ *testing.T, rows []segment.Row) []segment.Row {
		for i := range rows {
			if rows[i].Record.Offset == offset {
				change(&rows[i].Record)
			}
		}
		return rows
	}
}

// TestDeepKnowsWhatCompactionLost: the ledger believes a compactor what it says of duplicates, and which bytes it wrote. The
// rows say more, whether the files that it replaced are there or not.
func TestDeepKnowsWhatCompactionLost(t *testing.T) {
	tp, log := partitionOf("events.flights", 0), redelivered()
	kafka := fakeLog{
		bounds: map[events.TopicPartition]events.Bounds{tp: {End: 13}},
		recs:   map[events.TopicPartition][]events.Record{tp: log},
	}
	for name, tc := range map[string]struct {
		change     merging
		duplicates int64
		want       string
	}{
		"nothing":                      {change: without()},
		"a second delivery":            {change: without(2), duplicates: 1},
		"known at the same time":       {change: without(8), duplicates: 1},
		"both known at the same time":  {change: without(8, 9), want: "offset 8 is in the log and not in the archive\nevents.flights/0: offset 9 is"},
		"the first delivery":           {change: without(1), want: "offset 1 is in the log and not in the archive"},
		"both deliveries":              {change: without(1, 2), want: "offset 1 is in the log and not in the archive\nevents.flights/0: offset 2 is"},
		"an event":                     {change: without(3), want: "offset 3 is in the log and not in the archive"},
		"another story of an event":    {change: without(4), want: "offset 4 is in the log and not in the archive"},
		"what is no event":             {change: without(6), want: "offset 6 is in the log and not in the archive"},
		"without a time":               {change: without(7), want: "offset 7 is in the log and not in the archive"},
		"known in another hour":        {change: without(10), want: "offset 10 is in the log and not in the archive"},
		"recorded before it came":      {change: without(12), want: "offset 12 is in the log and not in the archive"},
		"one of many":                  {change: without(2, 9, 3), duplicates: 2, want: "offset 3 is in the log and not in the archive"},
		"value":                        {change: altered(3, func(r *events.Record) { r.Value = []byte(`{"offset":4}`) }), want: "offset 3: archive/v1/compacted/events.flights-1.parquet has another record"},
		"a header":                     {change: altered(3, func(r *events.Record) { r.Headers[0].Key = "CE_specversion" }), want: "offset 3: archive/v1/compacted/events.flights-1.parquet has another record"},
		"value of what is no event":    {change: altered(5, func(r *events.Record) { r.Value = nil }), want: "offset 5: archive/v1/compacted/events.flights-1.parquet has another record"},
		"the story that a repeat told": {change: altered(1, func(r *events.Record) { r.Value = []byte(`"else"`) }), want: "offset 1: archive"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			feed(t.Context(), w.archiver(t, nil), tp, log, 13)
			files := slices.DeleteFunc(w.live(t, tp), func(f ledger.LedgerFile) bool { return !f.Hour.Equal(start()) })
			s := w.compact(t, tp, files, tc.change)
			for _, purged := range []bool{false, true} {
				if purged {
					w.purge(t, tp, s.Remove)
				}
				report, err := archive.Verifier{Ledger: w.ledger, Bucket: w.bucket, Deep: true, Log: kafka}.Run(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				all := strings.Join(report.Faults, "\n")
				if (tc.want == "") != (all == "") || !strings.Contains(all, tc.want) {
					t.Errorf("purged %t: found %q, want %q", purged, all, tc.want)
				}
				if k := report.Kafka; k.Duplicates != tc.duplicates || k.Compared+k.Duplicates+int64(len(report.Faults)) != 13 {
					t.Errorf("purged %t: %+v with %d faults, want %d duplicates and every record judged", purged, k, len(report.Faults), tc.duplicates)
				}
			}
			w.verified(t, archive.Verifier{Deep: true}) // without Kafka this does not show
		})
	}
}

// TestDeepKnowsManyDuplicates: of two partitions that have the same events one loses nearly all of them.
func TestDeepKnowsManyDuplicates(t *testing.T) {
	const n = 1200
	tps := [2]events.TopicPartition{partitionOf("events.flights", 0), partitionOf("events.flights", 1)}
	w := newWorld()
	kafka := fakeLog{bounds: map[events.TopicPartition]events.Bounds{}, recs: map[events.TopicPartition][]events.Record{}}
	for _, tp := range tps {
		for o := range int64(n) {
			kafka.recs[tp] = append(kafka.recs[tp], record(o, "t", start(), "ce_time", start().Format(time.RFC3339)))
		}
		kafka.bounds[tp] = events.Bounds{End: n}
		feed(t.Context(), w.archiver(t, nil), tp, kafka.recs[tp], n)
	}
	gone := func(r segment.Row) bool { return r.Partition == 1 && r.Record.Offset > 0 }
	w.compact(t, tps[0], w.live(t, tps[0]), func(_ *testing.T, rows []segment.Row) []segment.Row { return slices.DeleteFunc(rows, gone) })
	report := w.verified(t, archive.Verifier{Deep: true, Log: kafka})
	if report.Kafka.Compared != n+1 || report.Kafka.Duplicates != n-1 {
		t.Errorf("%+v", report.Kafka)
	}
}

// TestDeepReadsOriginals: until it is purged a replaced file is what older datasets are made from.
func TestDeepReadsOriginals(t *testing.T) {
	tp, at := partitionOf("events.flights", 0), start()
	w := newWorld()
	spoilt := records("t", at, 0, 1, 2)
	spoilt[1].Value = []byte("else")
	feed(t.Context(), w.archiver(t, nil), tp, spoilt, 3)
	s := w.compact(t, tp, w.live(t, tp), altered(1, func(r *events.Record) { *r = record(1, "t", at) }))
	kafka := fakeLog{
		bounds: map[events.TopicPartition]events.Bounds{tp: {End: 3}},
		recs:   map[events.TopicPartition][]events.Record{tp: records("t", at, 0, 1, 2)},
	}
	report, err := archive.Verifier{Ledger: w.ledger, Bucket: w.bucket, Deep: true, Log: kafka}.Run(t.Context())
	if err != nil || len(report.Faults) != 1 || !strings.Contains(report.Faults[0], s.Remove[0].Key+", which was replaced, has another record") {
		t.Errorf("%q, %v", report.Faults, err)
	}
	w.purge(t, tp, s.Remove)
	w.verified(t, archive.Verifier{Deep: true, Log: kafka})
}

// opened is a bucket that tells when a file is read for the nth time.
type opened struct {
	bucket.Bucket
	key  string
	n    int
	then func()
}

func (b *opened) Get(ctx context.Context, key string, r bucket.Range) (io.ReadCloser, bucket.Attrs, error) {
	if key == b.key {
		if b.n--; b.n == 0 {
			b.then()
		}
	}
	return b.Bucket.Get(ctx, key, r)
}

// TestDeepWhileFilesAreReplaced: what was live when the ledger was asked may be purged when the bucket is.
func TestDeepWhileFilesAreReplaced(t *testing.T) {
	tp, log := partitionOf("events.flights", 0), redelivered()
	kafka := fakeLog{
		bounds: map[events.TopicPartition]events.Bounds{tp: {End: 13}},
		recs:   map[events.TopicPartition][]events.Record{tp: log},
	}
	for name, nth := range map[string]int{"when rows are read": 2, "when an event is sought": 3} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			feed(t.Context(), w.archiver(t, nil), tp, log, 13)
			files := slices.DeleteFunc(w.live(t, tp), func(f ledger.LedgerFile) bool { return !f.Hour.Equal(start()) })
			first := w.compact(t, tp, files, without(2))
			w.purge(t, tp, first.Remove)
			b := &opened{Bucket: w.bucket, key: first.Add[0].Key, n: nth}
			b.then = func() {
				again := slices.DeleteFunc(w.live(t, tp), func(f ledger.LedgerFile) bool { return f.Key != b.key })
				w.purge(t, tp, w.compact(t, tp, again, without(9)).Remove)
			}
			report, err := archive.Verifier{Ledger: w.ledger, Bucket: b, Deep: true, Log: kafka}.Run(t.Context())
			if err != nil || len(report.Faults) > 0 || report.Kafka.Compared+report.Kafka.Duplicates != 13 {
				t.Errorf("%q %+v %v", report.Faults, report.Kafka, err)
			}
			if b.n > 0 {
				t.Error("nothing was replaced meanwhile: the test is void")
			}
		})
	}
}
