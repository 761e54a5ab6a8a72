package segment_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/schema"
)

// A writer's next file has the bytes that a new writer would have written, whatever the files before it were like.
func TestWriterIsUsedAgain(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	kinds := map[string]func(n int64) events.Record{
		"plain": func(n int64) events.Record { return binaryRecord(n) },
		"wide sources": func(n int64) events.Record { // their dictionary outgrows its bound: plain pages after it
			return binaryRecord(n, "ce_dataschema", fmt.Sprintf("https://%d.%s", rng.Uint64(), strings.Repeat("x", 2000)))
		},
		"foreign": func(n int64) events.Record {
			return events.Record{Offset: n, Value: fmt.Appendf(nil, "\xff%d", n), Headers: header("a", "1", "b", "2")}
		},
		"extended": func(n int64) events.Record {
			return binaryRecord(n, "ce_time", "2026-11-01T10:00:00Z", "ce_color", "red")
		},
		"tombstone": func(n int64) events.Record { return events.Record{Offset: n, Key: []byte("k")} },
	}
	files := []struct {
		kind string
		rows int64
	}{
		{"plain", 3}, {"plain", 3}, {"wide sources", 1200}, {"plain", 600}, {"foreign", 700}, {"extended", 20}, {"tombstone", 1},
		{"plain", 123_000}, {"foreign", 5}, {"plain", 0}, {"extended", 513}, {"wide sources", 10}, {"plain", 123_000}, {"plain", 1},
	}
	columns := []segment.Columns{nil, {"flight.departed": {{Name: "a", Property: "a", Kind: schema.ColumnInteger}}},
		{"flight.departed": {{Name: "a", Property: "b", Kind: schema.ColumnInteger}}}, {"flight.departed": {{Name: "b", Property: "b", Kind: schema.ColumnText}}}}
	used := segment.NewWriter()
	for i, f := range files {
		recs := make([]events.Record, f.rows)
		for n := range recs {
			recs[n] = kinds[f.kind](int64(n))
		}
		if i%4 == 3 { // rows that were given up
			for n := range min(len(recs), 300) {
				if err := used.Append(3, &recs[n]); err != nil {
					t.Fatal(err)
				}
			}
			used.Reset()
		}
		fresh, of := segment.NewWriter(), columns[rng.IntN(len(columns))]
		used.Columns(of)
		fresh.Columns(of)
		got, want := written(t, used, recs), written(t, fresh, recs)
		if !bytes.Equal(got.Body, want.Body) {
			t.Fatalf("file %d, %d rows of %s: other bytes than a new writer's", i, f.rows, f.kind)
		}
	}
}

func written(t *testing.T, w *segment.Writer, recs []events.Record) segment.Segment {
	t.Helper()
	for i := range recs {
		if err := w.Append(3, &recs[i]); err != nil {
			t.Fatal(err)
		}
	}
	seg, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return seg
}
