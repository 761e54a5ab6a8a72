package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// slice is how long faults come in a test. What has not hit by then gets more chances.
const slice = time.Minute

// TestSlice is a short run on real servers. A longer one is `go run ./deploy/chaos --duration 10m`.
func TestSlice(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), slice+10*time.Minute)
	defer cancel()
	o := options{Duration: slice, Seed: uint64(time.Now().Unix())}
	if bin := os.Getenv("SIGNALBOX_BIN"); bin != "" {
		abs, err := filepath.Abs(bin)
		if err != nil {
			t.Fatal(err)
		}
		o.Signalbox = filepath.Join(abs, "signalbox")
	}
	rep, err := rampage(ctx, o, t.Output())
	if err != nil {
		t.Fatalf("%v\n%s", err, o.replay())
	}
	switch rep.verdict() {
	case verdictFail:
		t.Errorf("%d violations, see above\n%s", rep.found.total(), o.replay())
	case verdictVoid:
		t.Errorf("void: %s\n%s", strings.Join(rep.void(), "; "), o.replay())
	}
}

func TestAckLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "acks.jsonl")
	l, err := openAckLog(path)
	if err != nil {
		t.Fatal(err)
	}
	l.add("http", "", "a", "b")
	l.add("direct", "7", "c")
	if n, err := l.close(); n != 3 || err != nil {
		t.Fatalf("%d %v", n, err)
	}
	ids, err := readAcks(path)
	if err != nil || len(ids) != 3 || ids["c"] != "7" || len(l.take()) != 3 || len(l.take()) != 0 {
		t.Errorf("%v %v", ids, err)
	}
	if _, err := openAckLog(path); err == nil {
		t.Error("an old log was written over")
	}
	twice := filepath.Join(t.TempDir(), "twice.jsonl")
	if err := os.WriteFile(twice, []byte("{\"id\":\"a\"}\n{\"id\":\"a\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readAcks(twice); err == nil {
		t.Error("an event that was acknowledged twice was taken")
	}
}

func TestGateLetsGoWhatNobodyWaitsFor(t *testing.T) {
	g := &gate{}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	c := g.arm(fileSent)
	if !g.pass(commitSent, partition{}) {
		t.Error("another moment was held")
	}
	if _, ok := c.wait(over); ok {
		t.Error("something was held")
	}
	if !g.pass(fileSent, partition{}) {
		t.Error("held after the wait was over")
	}
}

func TestWatchMeasuresRecovery(t *testing.T) {
	w := newLedgerWatch()
	p, q := partition{"0a1b2c3d", 1}, partition{"0a1b2c3d", 2}
	w.claimed(0, 0, p)
	w.claimed(1, 0, q)
	w.killed(0)
	w.committed(1, 0, q) // it never was the dead one's
	w.committed(0, 0, p) // the dead one's last words
	if n := len(w.totals().recoveries); n != 0 {
		t.Fatalf("%d recoveries", n)
	}
	w.claimed(1, 0, p)
	w.committed(1, 0, p)
	w.committed(1, 0, p)
	if n := len(w.totals().recoveries); n != 1 {
		t.Errorf("%d recoveries, want 1", n)
	}
	w.killed(0) // its new life owned nothing
	w.committed(1, 0, p)
	if n := len(w.totals().recoveries); n != 1 {
		t.Errorf("%d recoveries after a kill of nobody, want 1", n)
	}
}

func TestWatchTellsRepetitionsFromStaleOwners(t *testing.T) {
	w := newLedgerWatch()
	p := partition{"0a1b2c3d", 1}
	w.claimed(0, 0, p)
	first := transaction{work: flushStatement, part: p, start: 10, epoch: 1}
	w.sent(first)
	w.refused(0, 0, first) // its answer was lost, so it looks
	second := transaction{work: flushStatement, part: p, start: 20, epoch: 1}
	w.sent(second) // and sleeps
	w.claimed(1, 0, p)
	w.refused(0, 0, second)
	if f := w.totals(); f.recognised != 1 || f.stale != 1 {
		t.Errorf("%+v", f)
	}
}
