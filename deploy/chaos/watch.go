package main

import (
	"context"
	"sync"
	"time"
)

// ledgerWatch is what the ledger said to the subjects, as their proxies saw it: who claimed, who committed, whom it
// refused. Nothing of it is asked of the subjects.
type ledgerWatch struct {
	mu      sync.Mutex
	changed chan struct{} // closed at the next change
	lives   map[int]int
	owners  map[partition]owner
	commits map[partition]int // by anybody
	by      map[partition]owner
	tried   map[attempt]bool
	seen    map[attempt]bool // refusals counted
	outages []*outage

	figures watchFigures
}

// watchFigures are totals of a run.
type watchFigures struct {
	commits    int
	last       time.Time // of the newest commit
	claims     int
	stale      int // flushes of owners that had been replaced, refused by the ledger
	observed   int // the same, of a note that a partition is idle
	recognised int // flushes committed before whose answer was lost
	recoveries []time.Duration
}

// owner is one life of a subject.
type owner struct{ subject, life int }

// attempt is one flush of one claim.
type attempt struct {
	part         partition
	start, epoch int64
	observe      bool
}

// outage is a kill whose partitions wait for their next flush.
type outage struct {
	of    owner
	at    time.Time
	parts map[partition]bool
}

func newLedgerWatch() *ledgerWatch {
	return &ledgerWatch{changed: make(chan struct{}), lives: map[int]int{}, owners: map[partition]owner{},
		commits: map[partition]int{}, by: map[partition]owner{}, tried: map[attempt]bool{}, seen: map[attempt]bool{}}
}

// change runs f and wakes those who wait.
func (w *ledgerWatch) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
	close(w.changed)
	w.changed = make(chan struct{})
}

// until waits for a condition, which is looked at under the lock, and says whether it came true before ctx ended.
func (w *ledgerWatch) until(ctx context.Context, cond func() bool) bool {
	for {
		w.mu.Lock()
		ok, changed := cond(), w.changed
		w.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

func (w *ledgerWatch) life(subject int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lives[subject]
}

func (w *ledgerWatch) claimed(subject, life int, p partition) {
	w.change(func() {
		w.figures.claims++
		if life == w.lives[subject] {
			w.owners[p] = owner{subject, life}
		}
	})
}

func (w *ledgerWatch) committed(subject, life int, p partition) {
	now := time.Now()
	w.change(func() {
		w.figures.commits++
		w.figures.last = now
		w.commits[p]++
		w.by[p] = owner{subject, life}
		left := w.outages[:0]
		for _, o := range w.outages {
			if o.parts[p] && o.of != (owner{subject, life}) {
				w.figures.recoveries = append(w.figures.recoveries, now.Sub(o.at))
				continue
			}
			left = append(left, o)
		}
		w.outages = left
	})
}

// sent notes a COMMIT on its way: the same flush again is its owner's repetition.
func (w *ledgerWatch) sent(tx transaction) {
	w.change(func() { w.tried[attempt{part: tx.part, start: tx.start, epoch: tx.epoch}] = true })
}

// refused counts an UPDATE that found no row, once for each flush.
func (w *ledgerWatch) refused(subject, life int, tx transaction) {
	a := attempt{part: tx.part, start: tx.start, epoch: tx.epoch, observe: tx.work == observeStatement}
	w.change(func() {
		switch {
		case w.seen[a]:
		case a.observe:
			w.figures.observed++
		case w.tried[a] && w.owners[a.part] == owner{subject, life}:
			w.figures.recognised++
		default:
			w.figures.stale++
		}
		w.seen[a] = true
	})
}

// killed begins an outage of what the subject owned, and a new life.
func (w *ledgerWatch) killed(subject int) {
	now := time.Now()
	w.change(func() {
		o := &outage{of: owner{subject, w.lives[subject]}, at: now, parts: map[partition]bool{}}
		for p, by := range w.owners {
			if by == o.of {
				o.parts[p] = true
				delete(w.owners, p)
			}
		}
		if len(o.parts) > 0 {
			w.outages = append(w.outages, o)
		}
		w.lives[subject]++
	})
}

// owns lists the partitions of a subject. The caller holds the lock, as in until.
func (w *ledgerWatch) owns(subject int) []partition {
	var all []partition
	for p, by := range w.owners {
		if by == (owner{subject, w.lives[subject]}) {
			all = append(all, p)
		}
	}
	return all
}

func (w *ledgerWatch) totals() watchFigures {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.figures
	f.recoveries = append([]time.Duration(nil), f.recoveries...)
	return f
}
