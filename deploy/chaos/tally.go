package main

import (
	"slices"
	"sync"
	"time"
)

// count is what became of one kind of fault.
type count struct {
	planned  int
	injected int
	hit      int
	requests int // that a fault of the store met
}

// tally counts faults and producers. It is safe for concurrent use.
type tally struct {
	mu        sync.Mutex
	kinds     []fault // each must hit
	faults    map[fault]*count
	again     int
	committed int
	aborted   int
	stalls    []time.Duration
}

// newTally knows what was planned.
func newTally(p schedule) *tally {
	t := &tally{kinds: p.Kinds, faults: map[fault]*count{}}
	for _, k := range append(processKinds(), storeKinds()...) {
		t.faults[k.fault] = &count{}
	}
	for _, steps := range [][]step{p.Process, p.Store} {
		for _, s := range steps {
			t.faults[s.Fault].planned++
		}
	}
	return t
}

// done notes a step that was carried out.
func (t *tally) done(f fault, hit bool, requests int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.faults[f]
	c.injected++
	if hit {
		c.hit++
		c.requests += requests
	}
}

// resent notes events that were sent again.
func (t *tally) resent(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.again += n
}

// transaction notes the end of one.
func (t *tally) transaction(commit bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if commit {
		t.committed++
	} else {
		t.aborted++
	}
}

// stalled notes that a sleeping transaction kept everybody from committing.
func (t *tally) stalled(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stalls = append(t.stalls, d)
}

// kills is how many archivers were killed.
func (t *tally) kills() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, f := range []fault{killRandom, killWorking, killFile, killFileDone, killCommit, killCommitted, killMirror, killMirrored} {
		n += t.faults[f].hit
	}
	return n
}

// missed lists the kinds of the plan that never hit.
func (t *tally) missed() []fault {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []fault
	for _, f := range t.kinds {
		if t.faults[f].hit == 0 {
			out = append(out, f)
		}
	}
	return out
}

// wants says whether a kind is in the plan.
func (t *tally) wants(f fault) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Contains(t.kinds, f)
}
