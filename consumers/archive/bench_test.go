package archive_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/bucket/membucket"
	"github.com/signalbox-ml/signalbox/registry/ledger/ledgertest"
)

const benchRows = 100_000

func benchLog() []events.Record {
	at := time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)
	recs := make([]events.Record, benchRows)
	for i := range recs {
		recs[i] = record(int64(i), "flight.departed", at.Add(time.Duration(i)*time.Millisecond/100), "ce_time", at.Format(time.RFC3339Nano))
		recs[i].Value = fmt.Appendf(nil, `{"flight_id":"f-%d","carrier":"AA","origin":"JFK","dest":"SFO","distance":%d,"dep_delay":%d,"wind":%d.5}`,
			i, i%3001, i%97, i%31)
	}
	return recs
}

// BenchmarkArchive is CPU per record from delivery to the committed flush, over stores in memory.
func BenchmarkArchive(b *testing.B) {
	recs, tp := benchLog(), partitionOf("events.flights", 0)
	measure(b, func() {
		a, err := archive.New(archive.Config{Ledger: ledgertest.NewMemory(), Bucket: membucket.New(), Owner: "bench", Source: "/bench", MaxRows: benchRows / 2})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := a.Assigned(b.Context(), tp); err != nil {
			b.Fatal(err)
		}
		for at := 0; at < len(recs); at += 500 {
			if err := a.Records(b.Context(), tp, recs[at:at+500], int64(at+500), benchRows); err != nil {
				b.Fatal(err)
			}
		}
		a.Revoked(b.Context(), tp)
		if s := a.Stats(); s.Records != benchRows || s.Flushes != 2 {
			b.Fatalf("%+v", s)
		}
	})
}

// BenchmarkEncodeOnly is the part of it that makes the files.
func BenchmarkEncodeOnly(b *testing.B) {
	recs := benchLog()
	measure(b, func() {
		w := segment.NewWriter()
		for i := range recs {
			if err := w.Append(0, &recs[i]); err != nil {
				b.Fatal(err)
			}
			if (i+1)%(benchRows/2) == 0 {
				if _, err := w.Close(); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

// measure reports CPU time, because wall time on a shared machine says little.
func measure(b *testing.B, round func()) {
	before := cpu(b)
	for b.Loop() {
		round()
	}
	perRow := float64((cpu(b) - before).Nanoseconds()) / float64(b.N) / benchRows
	b.ReportMetric(perRow, "cpu-ns/row")
	b.ReportMetric(1e9/perRow, "rows/cpu-s")
}

func cpu(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
