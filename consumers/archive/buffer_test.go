package archive

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/events"
)

func identical(a, b events.Record) bool {
	same := func(x, y []byte) bool { return bytes.Equal(x, y) && (x == nil) == (y == nil) }
	return a.Offset == b.Offset && a.AppendTime.Equal(b.AppendTime) && same(a.Key, b.Key) && same(a.Value, b.Value) &&
		slices.EqualFunc(a.Headers, b.Headers, func(x, y events.RecordHeader) bool { return x.Key == y.Key && same(x.Value, y.Value) })
}

// TestBuffer: what went in comes out, of every size, null or empty, with more names than a buffer remembers.
func TestBuffer(t *testing.T) {
	pool := &sync.Pool{}
	for range 3 { // on memory that was used before
		b := &buffer{free: pool}
		var want []events.Record
		for i := range 1000 {
			r := events.Record{Offset: int64(i) * 1e15, AppendTime: time.UnixMicro(int64(i-500) * 1e12), Value: bytes.Repeat([]byte{byte(i)}, i*i%70000)}
			if i%3 == 0 {
				r.Key = []byte{}
			}
			if i%7 == 0 {
				r.Value = nil
			}
			for n := range i % 5 {
				r.Headers = append(r.Headers, events.RecordHeader{Key: fmt.Sprint(i%n1(n), "-", n), Value: [][]byte{nil, {}, []byte("v")}[i%3]})
			}
			b.add(&r)
			want = append(want, r)
		}
		if b.len() != len(want) || len(b.names) != maxNames {
			t.Fatalf("%d records with %d names", b.len(), len(b.names))
		}
		var got events.Record
		for _, i := range []int{999, 0, 500} { // in any order
			if b.record(i, &got); !identical(got, want[i]) {
				t.Errorf("record %d: %+v", i, got)
			}
		}
		for i := range want {
			if b.record(i, &got); !identical(got, want[i]) {
				t.Fatalf("record %d: %+v, want %+v", i, got, want[i])
			}
		}
		b.release()
		if b.len() != 0 {
			t.Error("released records are there")
		}
	}
}

// n1 makes a few names common and others rare.
func n1(n int) int { return []int{1, 2, 1000, 1000}[n%4] }

// A budget that counts less than what is held would be none.
func TestSizeCoversMemory(t *testing.T) {
	for name, r := range map[string]events.Record{
		"small": {Value: []byte("x")}, "usual": typed("shop.order.placed", 300), "null": {}, "large": {Value: make([]byte, chunkSize/3)},
	} {
		b, size := &buffer{}, int64(0)
		for range 2000 {
			b.add(&r)
			size += sizeOf(&r)
		}
		held := int64(cap(b.places)) * 8
		for _, c := range b.chunks {
			held += int64(cap(c))
		}
		if held > size*3/2+chunkSize {
			t.Errorf("%s: %d bytes held, %d counted", name, held, size)
		}
	}
}

func FuzzBuffer(f *testing.F) {
	f.Add(int64(5), int64(1e15), []byte("k"), []byte("v"), "ce_id", []byte("1"))
	f.Add(int64(-1), int64(-1), []byte(nil), []byte{}, "", []byte(nil))
	f.Fuzz(func(t *testing.T, offset, at int64, key, value []byte, name string, header []byte) {
		want := events.Record{Offset: offset, AppendTime: time.UnixMicro(at % 1e17), Key: key, Value: value,
			Headers: []events.RecordHeader{{Key: name, Value: header}, {Key: name + "2", Value: key}, {Key: name, Value: value}}}
		b, got := &buffer{}, events.Record{}
		b.add(&want)
		b.add(&want)
		if b.record(1, &got); !identical(got, want) {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}
