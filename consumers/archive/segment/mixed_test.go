package segment_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/signalbox-ml/signalbox/events"
)

// TestMixedRows writes rows of many shapes in every kind of run: which columns are null in one row must not touch the
// next. Parquet-go v0.32 got that wrong for a few nulls, as many values, then nulls only.
func TestMixedRows(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 3))
		var recs []events.Record
		for rows := 1 + rng.IntN(200); len(recs) < rows; {
			kind := rng.IntN(6)
			for range 1 + rng.IntN(1+rng.IntN(90)) {
				recs = append(recs, mixedRecord(int64(len(recs)), kind))
			}
		}
		for i, row := range decode(t, encode(t, recs...)) {
			if !sameRecord(row.Record, recs[i]) {
				t.Fatalf("seed %d, row %d:\ngot  %+v\nwant %+v", seed, i, row.Record, recs[i])
			}
		}
	}
}

func mixedRecord(offset int64, kind int) events.Record {
	switch kind {
	case 0:
		return events.Record{Offset: offset, Value: fmt.Appendf(nil, "plain %d", offset)}
	case 1:
		return events.Record{Offset: offset, Headers: []events.RecordHeader{{Key: "a"}, {Key: "b", Value: []byte("v")}, {Key: "c"}, {Key: "d", Value: []byte{}}}}
	case 2:
		return binaryRecord(offset, "ce_time", "2026-11-01T09:59:00Z", "ce_subject", "s")
	case 3:
		return binaryRecord(offset, "ce_recordedtime", "2026-11-01T09:59:00.123456789Z", "ce_x", "y")
	case 4:
		return with(binaryRecord(offset), func(r *events.Record) { r.Key, r.Value = nil, nil })
	default:
		return binaryRecord(offset)
	}
}
