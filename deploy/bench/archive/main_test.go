package main

import (
	"bytes"
	"reflect"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestChoose(t *testing.T) {
	names, known := measurements()
	if got, _ := choose(""); !slices.Equal(got, names) {
		t.Errorf("everything is %v", got)
	}
	if got, _ := choose("a7,a1"); !slices.Equal(got, []string{"a7", "a1"}) {
		t.Errorf("two are %v", got)
	}
	if got, has := choose("a1,a9"); got != nil || has == "" {
		t.Errorf("unknown: %v of %q", got, has)
	}
	for _, name := range names {
		if known[name] == nil {
			t.Errorf("%s cannot be done", name)
		}
	}
}

// Peers and floors read the same events as the archive, in every run.
func TestSameEvents(t *testing.T) {
	a, b := maker{rng: newRand(), types: 20}, maker{rng: newRand(), types: 20}
	types, bytes := map[string]bool{}, 0
	for i := range 2000 {
		x, y := a.record(i), b.record(i)
		if !reflect.DeepEqual(x, y) {
			t.Fatalf("record %d: %v and %v", i, x, y)
		}
		types[string(x.Headers[3].Value)] = true
		bytes += len(x.Value)
	}
	if mean := bytes / 2000; len(types) != 20 || mean < 270 || mean > 310 {
		t.Errorf("%d types, %d bytes on average", len(types), mean)
	}
}

// The floor writes every record, in files of the size asked for.
func TestFloorWritesEverything(t *testing.T) {
	m, f := maker{rng: newRand(), types: 6}, newSink(100)
	var recs []*kgo.Record
	for i := range 250 {
		recs = append(recs, m.record(i))
	}
	f.in <- recs
	close(f.in)
	f.wg.Wait()
	if f.err != nil || f.out < 5000 {
		t.Errorf("%d bytes, %v", f.out, f.err)
	}
	if c := columns(recs[7]); c.ID == "" || c.Time == nil || c.DataContentType != "application/json" || !bytes.Equal(c.Data, recs[7].Value) {
		t.Errorf("%+v", c)
	}
}
