package main

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/deploy/bench/internal/rig"
)

// Every measurement that can be chosen can be done.
func TestMeasurementsAreThere(t *testing.T) {
	names, known := measurements()
	if len(names) != len(known) {
		t.Errorf("%d names, %d measurements", len(names), len(known))
	}
	for _, name := range names {
		if known[name] == nil {
			t.Errorf("%s cannot be done", name)
		}
	}
}

// The floor writes every record, in files of the size asked for.
func TestFloorWritesEverything(t *testing.T) {
	f := newSink(100)
	var recs []*kgo.Record
	for _, r := range (rig.Shop{Records: 250, Types: 6}).Events() {
		recs = append(recs, r)
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
