package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// Bounds of single steps. A step that gets no chance is given up, and does not count as hit.
const (
	ripeFor    = 6 * time.Second // until an archiver owns something, and flushes
	takeover   = 8 * time.Second // until the other one has committed what a stopped one owned
	fenceFor   = 3 * time.Second // until the ledger has refused a stopped one
	storeExtra = 6 * time.Second // how long a fault of the store may wait for its first request
)

// nemesis carries a plan out.
type nemesis struct {
	servers  *servers
	archiver []*subject
	control  *subject
	remake   func(context.Context) (hit bool, err error) // of a topic
	watch    *ledgerWatch
	tally    *tally
	progress io.Writer
	began    time.Time
}

// run returns when the plan is done or ctx ends. Faults that are under way are taken back.
func (n *nemesis) run(ctx context.Context, p schedule) error {
	n.began = time.Now()
	var lanes sync.WaitGroup
	lanes.Go(func() {
		for _, s := range p.Store {
			if !n.wait(ctx, s.At) {
				return
			}
			n.store(ctx, s)
		}
	})
	defer lanes.Wait()
	for _, s := range p.Process {
		if !n.wait(ctx, s.At) {
			return nil
		}
		if err := n.carryOut(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// Second chances of kinds that did not hit.
const (
	chances    = 3
	chancesFor = 2 * time.Minute
)

// again repeats what the plan owes: on a busy machine a step misses its moment, or the time is over before its turn.
func (n *nemesis) again(ctx context.Context, p schedule) error {
	ctx, cancel := context.WithTimeout(ctx, chancesFor)
	defer cancel()
	for try := range chances {
		for _, f := range n.owed() {
			s := step{Fault: f, Target: try % archivers, For: 500 * time.Millisecond}
			if slices.ContainsFunc(p.Store, func(s step) bool { return s.Fault == f }) {
				n.store(ctx, s)
			} else if err := n.carryOut(ctx, s); err != nil {
				return err
			}
			if ctx.Err() != nil {
				return nil
			}
		}
	}
	return nil
}

// owed lists the kinds that did not hit. Where the ledger has refused no stale owner, it is one that makes them.
func (n *nemesis) owed() []fault {
	owed := n.tally.missed()
	if stale := []fault{stopUpdate}; n.watch.totals().stale == 0 && n.tally.wants(stopUpdate) && !slices.Contains(owed, stopUpdate) {
		return append(stale, owed...)
	}
	return owed
}

// carryOut does one step and notes what came of it.
func (n *nemesis) carryOut(ctx context.Context, s step) error {
	began := time.Now()
	hit, err := n.process(ctx, s)
	if err != nil {
		return fmt.Errorf("%s: %w", s.Fault, err)
	}
	if ctx.Err() != nil && !hit {
		return nil // it was cut short
	}
	n.tally.done(s.Fault, hit, 1)
	fmt.Fprintf(n.progress, "%8.3fs %-26s archive-%d hit=%-5v took %s\n", time.Since(n.began).Seconds(), s.Fault, s.Target, hit,
		time.Since(began).Round(time.Millisecond))
	return nil
}

// wait waits for a moment of the plan; false when the time is over.
func (n *nemesis) wait(ctx context.Context, at time.Duration) bool {
	return pause(ctx, at-time.Since(n.began))
}

// pause waits for d; false when ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	if ctx.Err() != nil {
		return false
	}
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (n *nemesis) process(ctx context.Context, s step) (hit bool, err error) {
	switch s.Fault {
	case killRandom:
		pause(ctx, s.For)
		return true, n.archiver[s.Target].restart(func() {})
	case killWorking:
		return n.killWorking(ctx, s)
	case killBroker:
		return true, n.servers.killBroker(context.WithoutCancel(ctx), func() error { return nil })
	case killIngest:
		return true, n.control.restart(func() {})
	case killBoth:
		return true, n.servers.killBroker(context.WithoutCancel(ctx), func() error {
			pause(ctx, s.For)
			return n.control.restart(func() {})
		})
	case remakeTopic:
		return n.remake(ctx)
	case killPostgres:
		return true, n.servers.killPostgres(context.WithoutCancel(ctx))
	case stopRandom:
		return n.stopRandom(ctx, s)
	case stopFile, stopUpdate, stopCommit:
		return n.stopHeld(ctx, s)
	case cutCommit, cutCommitted:
		return n.breakHeld(ctx, s, func(drop func()) error { drop(); return nil })
	}
	return n.breakHeld(ctx, s, n.archiver[s.Target].restart)
}

// moments says where each aimed fault holds the wire.
func moments() map[fault]moment {
	return map[fault]moment{
		killFile: fileSent, killFileDone: fileStored, killCommit: commitSent, killCommitted: committed,
		killMirror: mirrorSent, killMirrored: mirrorStored,
		stopFile: fileSent, stopUpdate: updateSent, stopCommit: commitSent, cutCommit: commitSent, cutCommitted: committed,
	}
}

func (n *nemesis) killWorking(ctx context.Context, s step) (bool, error) {
	a := n.archiver[s.Target]
	bound, cancel := context.WithTimeout(ctx, ripeFor)
	defer cancel()
	hit := n.watch.until(bound, func() bool { return len(n.watch.owns(s.Target)) > 0 })
	pause(ctx, s.For)
	return hit, a.restart(func() {})
}

// breakHeld breaks something, such as the process, where the wire is held, and drops what was held. It takes a moment, so
// that a step that does not wait for the one before shows itself.
func (n *nemesis) breakHeld(ctx context.Context, s step, breaking func(drop func()) error) (bool, error) {
	c := n.archiver[s.Target].gate.arm(moments()[s.Fault])
	defer c.release(true)
	bound, cancel := context.WithTimeout(ctx, ripeFor)
	defer cancel()
	if _, ok := c.wait(bound); !ok {
		return false, nil
	}
	pause(ctx, s.For)
	return true, breaking(func() { c.release(false) })
}

// store lets the object store misbehave toward one archiver for a while.
func (n *nemesis) store(ctx context.Context, s step) {
	f := n.archiver[s.Target].faults
	f.set(s.Fault)
	pause(ctx, s.For)
	for end := time.Now().Add(storeExtra); f.hit() == 0 && time.Now().Before(end) && pause(ctx, 20*time.Millisecond); {
	}
	if hits := f.set(""); hits > 0 || ctx.Err() == nil {
		n.tally.done(s.Fault, hits > 0, hits)
	}
}
