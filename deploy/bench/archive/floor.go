package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
	"github.com/twmb/franz-go/pkg/kgo"
)

// spent is what a part of a measurement took, as a process of its own.
type spent struct {
	Records int64   `json:"records"`
	CPU     float64 `json:"cpu_seconds"`
	Peak    int64   `json:"peak_bytes"`
	Out     int64   `json:"out_bytes"`
	Commits []int64 `json:"commits,omitempty"` // nanoseconds each, where there is a ledger
}

// part runs what main was started for.
func part(name string, args []string) error {
	parts := map[string]func([]string) (spent, error){"part:floor": floor, "part:archiver": archiver}
	s, err := parts[name](args)
	if err != nil {
		return err
	}
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		return err
	}
	s.CPU, s.Peak = time.Duration(ru.Utime.Nano()+ru.Stime.Nano()).Seconds(), ru.Maxrss<<10
	return json.NewEncoder(os.Stdout).Encode(s)
}

// in runs a part in a process of its own.
func (b *bench) in(ctx context.Context, name string, args ...string) (s spent, err error) {
	cmd := exec.CommandContext(ctx, b.self, append([]string{name}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(out, &s)
}

// plain is a row of the archive's columns, written as somebody would who wants the columns and nothing else.
type plain struct {
	Partition       int32   `parquet:"kafka_partition,dict"`
	Offset          int64   `parquet:"kafka_offset,delta"`
	AppendTime      int64   `parquet:"kafka_ts,delta,timestamp(microsecond:local)"`
	Key             []byte  `parquet:"kafka_key,optional"`
	ID              string  `parquet:"ce_id,optional"`
	Source          string  `parquet:"ce_source,optional,dict"`
	Type            string  `parquet:"ce_type,optional,dict"`
	Subject         string  `parquet:"ce_subject,optional"`
	Time            *int64  `parquet:"ce_time,optional,timestamp(microsecond:local)"`
	RecordedTime    *int64  `parquet:"ce_recordedtime,optional,timestamp(microsecond:local)"`
	DataSchema      string  `parquet:"ce_dataschema,optional,dict"`
	DataContentType string  `parquet:"ce_datacontenttype,optional,dict"`
	TraceParent     string  `parquet:"traceparent,optional"`
	Ext             string  `parquet:"ce_ext,optional"`
	HeaderOrder     string  `parquet:"header_order,optional,dict"`
	Headers         []extra `parquet:"headers,list"`
	Data            []byte  `parquet:"data,optional,string"`
	DataBytes       []byte  `parquet:"data_bytes,optional"`
	Value           []byte  `parquet:"value,optional"`
}

type extra struct {
	Key   []byte `parquet:"key"`
	Value []byte `parquet:"value"`
	Null  bool   `parquet:"is_null"`
}

// floor reads a topic from its start and writes Parquet into nothing: no group, no ledger, no store. Arguments: broker, topic,
// records, and how many rows a file has; 0 only reads.
func floor(args []string) (s spent, err error) {
	n, err := strconv.ParseInt(args[2], 10, 64)
	if err != nil {
		return s, err
	}
	rows, err := strconv.Atoi(args[3])
	if err != nil {
		return s, err
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(args[0]), kgo.ConsumeTopics(args[1]), kgo.FetchMaxBytes(16<<20),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return s, err
	}
	defer cl.Close()
	files := map[int32]*sink{}
	for s.Records < n {
		fetches := cl.PollFetches(context.Background())
		if err := fetches.Err(); err != nil {
			return s, err
		}
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			s.Records += int64(len(p.Records))
			if rows == 0 || len(p.Records) == 0 {
				return
			}
			if files[p.Partition] == nil {
				files[p.Partition] = newSink(rows)
			}
			files[p.Partition].in <- p.Records
		})
	}
	for _, f := range files {
		close(f.in)
		f.wg.Wait()
		s.Out += f.out
		if f.err != nil {
			return s, f.err
		}
	}
	return s, nil
}

// sink encodes one partition, a file after another.
type sink struct {
	in  chan []*kgo.Record
	wg  sync.WaitGroup
	out int64
	err error
}

// Write counts.
func (f *sink) Write(p []byte) (int, error) {
	f.out += int64(len(p))
	return len(p), nil
}

func newSink(rows int) *sink {
	f := &sink{in: make(chan []*kgo.Record, 2)}
	f.wg.Go(func() {
		w, in := f.file(), 0
		batch := make([]plain, 0, 256)
		for recs := range f.in {
			for len(recs) > 0 && f.err == nil {
				k := min(len(recs), rows-in, cap(batch))
				batch = batch[:0]
				for _, r := range recs[:k] {
					batch = append(batch, columns(r))
				}
				if _, f.err = w.Write(batch); f.err != nil {
					break
				}
				recs, in = recs[k:], in+k
				if in == rows {
					f.err = w.Close()
					w, in = f.file(), 0
				}
			}
		}
		if f.err == nil {
			f.err = w.Close()
		}
	})
	return f
}

// file has the archive's codec, row groups and dictionaries.
func (f *sink) file() *parquet.GenericWriter[plain] {
	return parquet.NewGenericWriter[plain](f, parquet.Compression(&zstd.Codec{Level: zstd.SpeedDefault}), parquet.MaxRowsPerRowGroup(122880))
}

func columns(r *kgo.Record) plain {
	p := plain{Partition: r.Partition, Offset: r.Offset, AppendTime: r.Timestamp.UnixMicro(), Key: r.Key, Data: r.Value}
	for _, h := range r.Headers {
		switch h.Key {
		case "ce_id":
			p.ID = string(h.Value)
		case "ce_source":
			p.Source = string(h.Value)
		case "ce_type":
			p.Type = string(h.Value)
		case "ce_subject":
			p.Subject = string(h.Value)
		case "ce_time":
			if t, err := time.Parse(time.RFC3339Nano, string(h.Value)); err == nil {
				us := t.UnixMicro()
				p.Time = &us
			}
		case "content-type":
			p.DataContentType = string(h.Value)
		}
	}
	return p
}
