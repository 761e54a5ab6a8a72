package main

import (
	"bytes"
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/parquet-go/parquet-go/compress/zstd"

	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/deploy/bench/internal/figures"
	"github.com/signalbox-ml/signalbox/deploy/bench/internal/rig"
	"github.com/signalbox-ml/signalbox/events"
)

// encodedRows is a row group of the archive.
const encodedRows = 122_880

// encoding is A2: how fast records become Parquet against zstd alone on the same columns at the same level.
func (b *bench) encoding(context.Context) error {
	var recs []events.Record
	for _, r := range (rig.Shop{Records: encodedRows, Types: 1}).Events() {
		i := int64(len(recs))
		rec := events.Record{Offset: i, Key: r.Key, Value: r.Value, AppendTime: time.UnixMicro(i)}
		for _, h := range r.Headers {
			rec.Headers = append(rec.Headers, events.RecordHeader(h))
		}
		recs = append(recs, rec)
	}
	text := byColumn(recs)
	codec := &zstd.Codec{Level: zstd.SpeedDefault}
	var out []byte
	all, w := figures.Series{}, segment.NewWriter()
	var raw int
	for range b.rounds {
		begin := cpu()
		for _, column := range text {
			raw += len(column)
			var err error
			if out, err = codec.Encode(out, column); err != nil {
				return err
			}
		}
		all.Add("zstd", (cpu() - begin).Seconds())
		begin = cpu()
		for i := range recs {
			if err := w.Append(0, &recs[i]); err != nil {
				return err
			}
		}
		seg, err := w.Close()
		if err != nil {
			return err
		}
		all.Add("segment", (cpu() - begin).Seconds())
		all.Add("segment bytes", float64(len(seg.Body)))
	}
	med := all.Medians()
	ratio := med["zstd"] / med["segment"]
	rate := func(name string) string {
		return fmt.Sprintf("%.0f MB/s", float64(raw)/float64(b.rounds)/1e6/med[name])
	}
	b.report.Add(figures.Row{Goal: "A2", What: fmt.Sprintf("Parquet of %d rows, headers unpacked and JSON checked", encodedRows), Numerator: rate("segment"),
		Denominator: rate("zstd") + ": zstd alone on the same columns", Ratio: ratio, Limit: ">= 0.70", Met: ratio >= 0.70})
	return nil
}

// byColumn is the text of a record's parts, each part of all records together, in blocks as large as Parquet's pages are.
func byColumn(recs []events.Record) [][]byte {
	const page = 1 << 20
	columns := make([][][]byte, 1)
	add := func(c int, v []byte) {
		for len(columns) <= c {
			columns = append(columns, nil)
		}
		if n := len(columns[c]); n == 0 || len(columns[c][n-1]) > page {
			columns[c] = append(columns[c], nil)
		}
		n := len(columns[c])
		columns[c][n-1] = append(columns[c][n-1], v...)
	}
	for i := range recs {
		add(0, recs[i].Key)
		add(1, recs[i].Value)
		for h, header := range recs[i].Headers {
			if !bytes.Equal(header.Value, []byte("1.0")) {
				add(2+h, header.Value)
			}
		}
	}
	var out [][]byte
	for _, c := range columns {
		out = append(out, c...)
	}
	return out
}

// cpu is what this process has taken so far.
func cpu() time.Duration {
	var ru syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &ru) // it fails for another target only
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}
