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
		b, n := &buffer{}, &names{}
		var want []events.Record
		for i := range 1000 {
			r := events.Record{Offset: int64(i) * 1e15, AppendTime: time.UnixMicro(int64(i-500) * 1e12), Value: bytes.Repeat([]byte{byte(i)}, i*i%70000)}
			if i%3 == 0 {
				r.Key = []byte{}
			}
			if i%7 == 0 {
				r.Value = nil
			}
			for h := range i % 5 {
				r.Headers = append(r.Headers, events.RecordHeader{Key: fmt.Sprint(i%n1(h), "-", h), Value: [][]byte{nil, {}, []byte("v")}[i%3]})
			}
			b.add(&r, n.of(&r, nil), pool)
			want = append(want, r)
		}
		if b.len() != len(want) || len(n.list) != maxNames {
			t.Fatalf("%d records with %d names", b.len(), len(n.list))
		}
		var got events.Record
		for _, i := range []int{999, 0, 500} { // in any order
			if b.record(i, n, &got); !identical(got, want[i]) {
				t.Errorf("record %d: %+v", i, got)
			}
		}
		for i := range want {
			if b.record(i, n, &got); !identical(got, want[i]) {
				t.Fatalf("record %d: %+v, want %+v", i, got, want[i])
			}
		}
		b.release(pool)
		if b.len() != 0 {
			t.Error("released records are there")
		}
	}
}

// n1 makes a few names common and others rare.
func n1(n int) int { return []int{1, 2, 1000, 1000}[n%4] }

// A budget that counts less than what is held would be none, for few records of many types too; and a place is made for
// records before they are taken, by what they take about.
func TestSizeCoversMemory(t *testing.T) {
	for name, of := range map[string]func(i int) events.Record{
		"small":      func(int) events.Record { return events.Record{Value: []byte("x")} },
		"usual":      func(int) events.Record { return typed("shop.order.placed", 300) },
		"many types": func(i int) events.Record { return typed(fmt.Sprint("shop.", i%300), 300) },
		"null":       func(int) events.Record { return events.Record{} },
		"large":      func(int) events.Record { return events.Record{Value: make([]byte, maxChunk*5)} },
	} {
		rs, size, grown := &records{free: &sync.Pool{}}, int64(0), int64(0)
		for i := range 3000 {
			r := of(i)
			grown += rs.add(&r)
			size += sizeOf(&r)
		}
		var held int64
		for _, g := range rs.byType {
			held += int64(cap(g.of[0].places))*8 + int64(g.of[0].size)
		}
		if held != grown || held > size*3/2 || size > held*2 {
			t.Errorf("%s: %d bytes held, %d counted, about %d expected", name, held, grown, size)
		}
	}
}

func FuzzBuffer(f *testing.F) {
	f.Add(int64(5), int64(1e15), []byte("k"), []byte("v"), "ce_id", []byte("1"))
	f.Add(int64(-1), int64(-1), []byte(nil), []byte{}, "", []byte(nil))
	f.Fuzz(func(t *testing.T, offset, at int64, key, value []byte, name string, header []byte) {
		want := events.Record{Offset: offset, AppendTime: time.UnixMicro(at % 1e17), Key: key, Value: value,
			Headers: []events.RecordHeader{{Key: name, Value: header}, {Key: name + "2", Value: key}, {Key: name, Value: value}}}
		b, n, got := &buffer{}, &names{}, events.Record{}
		b.add(&want, n.of(&want, nil), &sync.Pool{})
		b.add(&want, n.of(&want, nil), &sync.Pool{})
		if b.record(1, n, &got); !identical(got, want) {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}
