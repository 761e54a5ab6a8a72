//go:build cgo

package duckengine_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	archiver "github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/consumers/archive/compact"
	"github.com/signalbox-ml/signalbox/consumers/generate/compile"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/membucket"
	"github.com/signalbox-ml/signalbox/registry/ledger"
	"github.com/signalbox-ml/signalbox/registry/ledger/ledgertest"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// log is a record as it stands in Kafka.
func (r record) log() events.Record {
	out := events.Record{Offset: r.Offset, AppendTime: r.Append, Value: []byte(r.Data)}
	header := func(name, value string) {
		if value != "" {
			out.Headers = append(out.Headers, events.RecordHeader{Key: name, Value: []byte(value)})
		}
	}
	clock := func(at time.Time) string {
		if at.IsZero() {
			return ""
		}
		return at.Format(time.RFC3339Nano)
	}
	header("ce_specversion", "1.0")
	header("ce_id", r.ID)
	header("ce_source", r.Source)
	header("ce_type", r.Type)
	header("ce_subject", r.Subject)
	header("ce_time", clock(r.Time))
	header("ce_recordedtime", clock(r.Recorded))
	header("content-type", "application/json")
	return out
}

// store is an archive as archivers and compactors make it.
type store struct {
	ledger *ledgertest.Memory
	bucket *membucket.Bucket
}

// archived puts records into an archive, in many small files.
func archived(t *testing.T, records []record) store {
	t.Helper()
	s := store{ledgertest.NewMemory(), membucket.New()}
	a, err := archiver.New(archiver.Config{Ledger: s.ledger, Bucket: s.bucket, Owner: "test", Source: "/test", MaxRows: 40, MaxFiles: 2})
	check(t, err)
	logs := map[int32][]events.Record{}
	for _, r := range records {
		logs[r.Partition] = append(logs[r.Partition], r.log())
	}
	for p, log := range logs {
		slices.SortFunc(log, func(a, b events.Record) int { return cmp.Compare(a.Offset, b.Offset) })
		tp := events.TopicPartition{TopicID: uuid.UUID{7}, Topic: "events.shop", Partition: p}
		_, err := a.Assigned(t.Context(), tp)
		check(t, err)
		for some := range slices.Chunk(log, 40) {
			end := some[len(some)-1].Offset + 1
			check(t, a.Records(t.Context(), tp, some, end, end))
		}
		end := log[len(log)-1].Offset + 1
		check(t, a.Records(t.Context(), tp, nil, end, end))
		a.Revoked(t.Context(), tp)
	}
	return s
}

// files copies the files that were live once seq was the newest step, 0 for now, under their keys.
func (s store) files(t *testing.T, seq int64) (paths []string, last int64) {
	t.Helper()
	live, err := s.ledger.Files(t.Context(), ledger.FileQuery{UpToSeq: seq})
	check(t, err)
	dir := t.TempDir()
	for _, f := range live {
		body, _, err := s.bucket.Get(t.Context(), f.Key, bucket.Range{})
		check(t, err)
		b, err := io.ReadAll(body)
		check(t, err)
		path := filepath.Join(dir, f.Key)
		check(t, os.MkdirAll(filepath.Dir(path), 0o700))
		check(t, os.WriteFile(path, b, 0o600))
		paths, last = append(paths, path), max(last, f.Seq)
	}
	return paths, last
}

// pinsNothing is for a compactor whose replaced files no dataset was made from.
type pinsNothing struct{}

func (pinsNothing) Referenced(context.Context, []string) (map[string]bool, error) { return nil, nil }

func (s store) compact(t *testing.T) compact.Stats {
	t.Helper()
	c, err := compact.New(compact.Config{Ledger: s.ledger, Bucket: s.bucket, References: pinsNothing{}, Dir: t.TempDir(), Memory: 20_000})
	check(t, err)
	check(t, c.Look(t.Context()))
	return c.Stats()
}

// TestCompactionChangesNoDataset: over a hostile history, with deliveries that differ in both clocks and in their partition, a
// dataset has the same rows before and after, on either clock and over any window. What was planned before finds its files.
func TestCompactionChangesNoDataset(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			records := history(seed)
			s := archived(t, records)
			hot, seq := s.files(t, 0)
			stats := s.compact(t)
			merged, _ := s.files(t, 0)
			if stats.Duplicates == 0 || stats.Repeated == 0 || len(merged)*4 > len(hot) {
				t.Fatalf("%+v, %d files became %d: the test proves nothing", stats, len(hot), len(merged))
			}
			again, _ := s.files(t, seq)
			if len(again) != len(hot) {
				t.Errorf("a snapshot of before has %d files, had %d", len(again), len(hot))
			}
			for _, available := range []string{spec.AvailableRecorded, spec.AvailableAppend} {
				d := shop(available)
				for _, w := range []compile.Window{{Start: at(20), End: at(250)}, {Start: at(61), End: at(137)}} {
					before, _ := build(t, d, compile.Inputs{"orders": hot, "prices": hot, "paid": hot}, w)
					after, _ := build(t, d, compile.Inputs{"orders": merged, "prices": merged, "paid": merged}, w)
					if want := definition(t, records, d, w); !slices.Equal(before, want) || !slices.Equal(after, want) {
						t.Errorf("%s: before %s\nafter %s", available, firstDifference(before, want), firstDifference(after, want))
					}
				}
			}
		})
	}
}

// TestDuckDBReadsFiles: files of flushes and of merges need nothing of this project to be read: types, nulls, lists, and the
// columns that the names of folders give.
func TestDuckDBReadsFiles(t *testing.T) {
	full := record{Offset: 0, Append: at(1), ID: "i-1", Source: "/s", Type: "größer/as", Subject: "süd", Time: at(0), Recorded: at(1),
		Data: `{"who":"u1","value":1}`}.log()
	full.Key = []byte{}
	full.Headers = append(full.Headers, events.RecordHeader{Key: "own", Value: []byte{0xff}}, events.RecordHeader{Key: "null"})
	bare := record{Offset: 1, Append: at(2), ID: "i-2", Source: "/s", Type: "größer/as", Data: "text"}.log()
	plain := events.Record{Offset: 2, AppendTime: at(3), Value: []byte{0, 0xff}, Headers: []events.RecordHeader{{Key: "h", Value: []byte{}}}}
	s := store{ledgertest.NewMemory(), membucket.New()}
	a, err := archiver.New(archiver.Config{Ledger: s.ledger, Bucket: s.bucket, Owner: "test", Source: "/test", MaxRows: 1})
	check(t, err)
	for p := range int32(2) {
		tp := events.TopicPartition{TopicID: uuid.UUID{7}, Topic: "events.shop", Partition: p}
		_, err := a.Assigned(t.Context(), tp)
		check(t, err)
		for _, r := range []events.Record{full, bare, plain} {
			check(t, a.Records(t.Context(), tp, []events.Record{r}, r.Offset+1, 3))
		}
		check(t, a.Records(t.Context(), tp, nil, 3, 3))
		a.Revoked(t.Context(), tp)
	}
	hot, _ := s.files(t, 0)
	if n := s.compact(t).Duplicates; n != 2 {
		t.Errorf("%d duplicates left out, of 2 events that came twice", n)
	}
	merged, _ := s.files(t, 0)
	want := func(partition int32) []string {
		return []string{
			fmt.Sprintf(`%d|0|00:00:01||i-1|/s|größer/as|süd|00:00:00|00:00:01|1|[{'key': own, 'value': \xFF, 'is_null': false}, `+
				`{'key': 'null', 'value': '', 'is_null': true}]|-|-|shop.07000000|größer/as|2026-03-01|0`, partition),
			fmt.Sprintf(`%d|1|00:00:02|-|i-2|/s|größer/as|-|-|-|-|[]|text|-|shop.07000000|größer/as|2026-03-01|0`, partition),
			fmt.Sprintf(`%d|2|00:00:03|-|-|-|-|-|-|-|-|[{'key': h, 'value': '', 'is_null': false}]|\x00\xFF|-|shop.07000000|_other|2026-03-01|0`, partition),
		}
	}
	for name, tc := range map[string]struct {
		files []string
		want  []string
	}{"flushed": {hot, append(want(0), want(1)...)}, "merged": {merged, append(want(0), want(1)[2])}} {
		got := query(t, `SELECT kafka_partition, kafka_offset, kafka_ts, kafka_key::VARCHAR, ce_id, ce_source, ce_type, ce_subject, ce_time, ce_recordedtime,
			TRY(json_extract(data, '$.value'))::BIGINT, headers::VARCHAR, data_bytes::VARCHAR, value::VARCHAR, topic, type, date::VARCHAR, hour::INTEGER
			FROM read_parquet(['`+strings.Join(tc.files, "', '")+`'], hive_partitioning = true) ORDER BY kafka_partition, kafka_offset`)
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s files: %s", name, firstDifference(got, tc.want))
		}
		types := query(t, "SELECT string_agg(column_type, ' ') FROM (DESCRIBE SELECT * FROM read_parquet('"+tc.files[0]+"', hive_partitioning = false))")
		const columns = "INTEGER BIGINT TIMESTAMP BLOB VARCHAR VARCHAR VARCHAR VARCHAR TIMESTAMP TIMESTAMP VARCHAR VARCHAR VARCHAR VARCHAR VARCHAR " +
			`STRUCT("key" BLOB, "value" BLOB, is_null BOOLEAN)[] VARCHAR BLOB BLOB`
		if !slices.Equal(types, []string{columns}) {
			t.Errorf("%s files have columns of types %s", name, types)
		}
	}
}
