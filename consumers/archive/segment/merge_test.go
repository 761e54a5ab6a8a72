package segment_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/events"
)

// merge moves the rows of segments to one file, in a given order.
func merge(t testing.TB, groupBytes int64, order func(n int) []int, segs ...segment.Segment) ([]byte, segment.Merged) {
	t.Helper()
	var rows [][]byte
	for _, seg := range segs {
		for row, err := range segment.ReadStored(bytes.NewReader(seg.Body), int64(len(seg.Body))) {
			if err != nil {
				t.Fatal(err)
			}
			rows = append(rows, row.AppendTo(nil))
		}
	}
	var out bytes.Buffer
	w := segment.NewMergeWriter(&out, nil, groupBytes)
	for _, i := range order(len(rows)) {
		if err := w.Append(rows[i]); err != nil {
			t.Fatal(err)
		}
	}
	m, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), m
}

func read(t testing.TB, body []byte) (rows []segment.Row) {
	t.Helper()
	for row, err := range segment.Read(bytes.NewReader(body), int64(len(body))) {
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

// mixed is records that are null in other columns at each step, which is where a writer of Parquet can go wrong.
func mixed(n int) (recs []events.Record) {
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		r := binaryRecord(int64(i))
		switch rng.IntN(6) {
		case 0:
			r = events.Record{Offset: int64(i), Value: []byte{0xff}}
		case 1:
			r.Value = nil
		case 2:
			r.Headers = append(r.Headers, header("ce_subject", "", "ce_time", "2026-11-01T09:59:00Z", "x", "y")...)
		case 3:
			r.Key, r.Value = []byte{}, []byte{}
			r.Headers = append(r.Headers, header("ce_recordedtime", "2026-11-01T09:59:00.5Z", "ce_ext1", "v", "ce_subject", "s")...)
		case 4:
			r.Value = []byte("not json")
			r.Headers = append(r.Headers, events.RecordHeader{Key: "null"})
		}
		recs = append(recs, r)
	}
	return recs
}

// TestMergedRowsAreTheSame: in any order, over row groups, every column of every row is what it was.
func TestMergedRowsAreTheSame(t *testing.T) {
	recs := mixed(3000)
	seg := encode(t, recs...)
	want := decode(t, seg)
	for name, groupBytes := range map[string]int64{"one group": 1 << 30, "many groups": 20_000} {
		t.Run(name, func(t *testing.T) {
			order := rand.New(rand.NewPCG(3, 4)).Perm(len(recs))
			body, m := merge(t, groupBytes, func(int) []int { return order }, seg)
			got := read(t, body)
			for i, at := range order {
				if !reflect.DeepEqual(got[i], want[at]) || !sameRecord(got[i].Record, recs[at]) {
					t.Fatalf("row %d became\n%+v, want\n%+v", at, got[i], want[at])
				}
			}
			if m.Rows != 3000 || !slices.Equal(m.Spans, []segment.PartitionSpan{{Partition: 3, Start: 0, End: 3000}}) ||
				!m.MinSeen.Equal(seg.MinSeen) || !m.MaxSeen.Equal(seg.MaxSeen) || !m.MinTime.Equal(seg.MinTime) || !m.MaxTime.Equal(seg.MaxTime) {
				t.Errorf("%+v", m)
			}
			f, err := parquet.OpenFile(bytes.NewReader(body), int64(len(body)))
			if err != nil {
				t.Fatal(err)
			}
			if n := len(f.RowGroups()); (n > 1) != (name == "many groups") {
				t.Errorf("%d row groups", n)
			}
			for _, column := range []string{"ce_id", "ce_subject"} {
				leaf, _ := f.Schema().Lookup(column)
				if f.RowGroups()[0].ColumnChunks()[leaf.ColumnIndex].BloomFilter() == nil {
					t.Errorf("%s has no bloom filter", column)
				}
			}
		})
	}
}

// TestMergedFileCanBeSearched: an event is found in a file as in those that it came from.
func TestMergedFileCanBeSearched(t *testing.T) {
	seg := encode(t, binaryRecord(1), binaryRecord(2), binaryRecord(3))
	body, _ := merge(t, 1<<20, func(int) []int { return []int{2, 0, 1} }, seg)
	row, err := segment.Find(bytes.NewReader(body), int64(len(body)), "id-2")
	if err != nil || row.Record.Offset != 2 {
		t.Errorf("%+v, %v", row, err)
	}
}

// TestMergeIsDeterministic: a merge that is repeated after a crash must find its own file.
func TestMergeIsDeterministic(t *testing.T) {
	seg := encode(t, mixed(1000)...)
	order := rand.New(rand.NewPCG(9, 9)).Perm(1000)
	first, _ := merge(t, 50_000, func(int) []int { return order }, seg)
	again, _ := merge(t, 50_000, func(int) []int { return order }, seg)
	if !bytes.Equal(first, again) {
		t.Error("the same rows became other bytes")
	}
}

// FuzzScratchRow: scratch files are our own, but a disk may lie: an error, no panic.
func FuzzScratchRow(f *testing.F) {
	for i, r := range mixed(20) {
		seg := encode(f, r)
		for row := range segment.ReadStored(bytes.NewReader(seg.Body), int64(len(seg.Body))) {
			f.Add(row.AppendTo(nil), uint16(i))
		}
	}
	f.Fuzz(func(t *testing.T, row []byte, cut uint16) {
		w := segment.NewMergeWriter(&bytes.Buffer{}, nil, 1<<20)
		_ = w.Append(row)
		w = segment.NewMergeWriter(&bytes.Buffer{}, nil, 1<<20)
		if n := int(cut); n < len(row) {
			if err := w.Append(row[:n]); err == nil {
				if whole := segment.NewMergeWriter(&bytes.Buffer{}, nil, 1<<20).Append(row); whole == nil {
					t.Errorf("%d of %d bytes are a row too", n, len(row))
				}
			}
		}
	})
}

// TestLargeRows: rows beyond the arena, and small ones after them.
func TestLargeRows(t *testing.T) {
	var recs []events.Record
	for i := range 12 {
		r := binaryRecord(int64(i))
		if i%3 == 0 {
			r.Value = fmt.Appendf(nil, "%q", bytes.Repeat([]byte{'a' + byte(i)}, 3<<20))
		}
		recs = append(recs, r)
	}
	seg := encode(t, recs...)
	body, _ := merge(t, 4<<20, func(n int) []int {
		order := make([]int, n)
		for i := range order {
			order[i] = n - 1 - i
		}
		return order
	}, seg)
	got := read(t, body)
	for i := range recs {
		if want := recs[len(recs)-1-i]; !sameRecord(got[i].Record, want) {
			t.Errorf("offset %d came back as offset %d, or changed", want.Offset, got[i].Record.Offset)
		}
	}
}
