package segment_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go/compress/zstd"

	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/events"
)

// flights is n events as a small application has them: about 360 bytes each, headers included.
func flights(n int) []events.Record {
	rng := rand.New(rand.NewPCG(1, 2))
	at := time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)
	recs := make([]events.Record, n)
	for i := range recs {
		at = at.Add(time.Duration(rng.IntN(3)) * time.Millisecond)
		entity := fmt.Sprintf("N%05d", rng.IntN(10000))
		recs[i] = events.Record{
			Offset: int64(i), AppendTime: at, Key: []byte(entity),
			Headers: header("ce_specversion", "1.0", "ce_id", fmt.Sprintf("%016x-%016x", rng.Uint64(), rng.Uint64()),
				"ce_source", "/flights/replay", "ce_type", "flight.departed", "ce_subject", entity,
				"ce_time", at.Add(-time.Duration(rng.IntN(1e9))).Truncate(time.Microsecond).Format(time.RFC3339Nano), "content-type", "application/json"),
			Value: fmt.Appendf(nil, `{"flight_id":"f-%d","tail":%q,"carrier":"AA","origin":"JFK","dest":"SFO","distance":%d,"dep_delay":%d,`+
				`"wind":%.2f,"temp":%.1f,"scheduled":"2013-01-01T10:00:00Z","visibility":%.1f}`,
				i, entity, rng.IntN(3000), rng.IntN(100)-20, rng.Float64()*30, rng.Float64()*90, rng.Float64()*10),
		}
	}
	return recs
}

const benchRows = 50_000

// BenchmarkEncode is CPU per row of the whole way from records to a finished file.
func BenchmarkEncode(b *testing.B) {
	recs := flights(benchRows)
	b.Run("uniform", func(b *testing.B) { encodeRows(b, recs) })
	// Every second event lacks an optional attribute: the rows change their shape at every step.
	alternating := flights(benchRows)
	for i := range alternating {
		if i%2 == 0 {
			alternating[i].Headers[4].Key = "other"
		}
	}
	b.Run("alternating", func(b *testing.B) { encodeRows(b, alternating) })
}

func encodeRows(b *testing.B, recs []events.Record) {
	w := segment.NewWriter()
	var size int
	measure(b, func() {
		for i := range recs {
			if err := w.Append(0, &recs[i]); err != nil {
				b.Fatal(err)
			}
		}
		seg, err := w.Close()
		if err != nil {
			b.Fatal(err)
		}
		size = len(seg.Body)
	})
	b.ReportMetric(float64(size)/float64(len(recs)), "file-bytes/row")
}

// BenchmarkZstd is the floor: the bytes of the same columns through the same compressor, in pages of the same size.
func BenchmarkZstd(b *testing.B) {
	recs := flights(benchRows)
	var columns [6][]byte
	for i := range recs {
		r := &recs[i]
		columns[0] = append(columns[0], r.Key...)
		columns[1] = append(columns[1], r.Headers[1].Value...)
		columns[2] = append(columns[2], r.Headers[4].Value...)
		columns[3] = append(columns[3], r.Value...)
		columns[4] = binary.LittleEndian.AppendUint64(columns[4], uint64(r.AppendTime.UnixMicro()))
		columns[5] = append(columns[5], r.Headers[5].Value...)
	}
	codec := &zstd.Codec{Level: zstd.SpeedDefault}
	const page = 256 << 10
	var dst []byte
	measure(b, func() {
		for _, c := range columns {
			for len(c) > 0 {
				n := min(page, len(c))
				var err error
				if dst, err = codec.Encode(dst, c[:n]); err != nil {
					b.Fatal(err)
				}
				c = c[n:]
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
