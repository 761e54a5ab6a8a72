package main

import (
	"context"
	"syscall"
	"time"
)

// stopRandom stops an archiver for longer than its session, until the other one has committed something that it owned.
func (n *nemesis) stopRandom(ctx context.Context, s step) (bool, error) {
	a := n.archiver[s.Target]
	bound, cancel := context.WithTimeout(ctx, ripeFor)
	defer cancel()
	var owned []partition
	if !n.watch.until(bound, func() bool {
		owned = n.watch.owns(s.Target)
		return len(owned) > 0
	}) {
		return false, nil
	}
	a.signal(syscall.SIGSTOP)
	defer a.signal(syscall.SIGCONT)
	began := time.Now()
	taken := n.takenOver(ctx, s.Target, owned)
	pause(ctx, s.For)
	return taken || n.stoodStill(began), nil
}

// stoodStill notes that nobody committed anything for longer than a session: the stopped process sleeps with locks of the
// ledger, and whoever wants to take over waits for them.
func (n *nemesis) stoodStill(began time.Time) bool {
	if last := n.watch.totals().last; last.After(began) {
		began = last
	}
	still := time.Since(began)
	if still < 2*sessionTimeout {
		return false
	}
	n.tally.stalled(still)
	return true
}

// stopHeld stops an archiver while the wire holds a step of its flush, until the other one has committed the same
// partition. Then the step goes on, and its process wakes up: a stale owner, as after a long pause of a machine.
func (n *nemesis) stopHeld(ctx context.Context, s step) (bool, error) {
	a := n.archiver[s.Target]
	c := a.gate.arm(moments()[s.Fault])
	defer c.release(true)
	bound, cancel := context.WithTimeout(ctx, ripeFor)
	defer cancel()
	p, ok := c.wait(bound)
	if !ok {
		return false, nil
	}
	a.signal(syscall.SIGSTOP)
	defer a.signal(syscall.SIGCONT)
	before := n.watch.totals().stale
	if s.Fault == stopCommit {
		return n.sleepingCommit(ctx, s, c), nil
	}
	began := time.Now()
	if !n.takenOver(ctx, s.Target, []partition{p}) {
		return n.stoodStill(began), nil
	}
	pause(ctx, s.For)
	c.release(true)
	a.signal(syscall.SIGCONT)
	refused, done := context.WithTimeout(ctx, fenceFor)
	defer done()
	n.watch.until(refused, func() bool { return n.watch.figures.stale > before })
	return true, nil
}

// sleepingCommit is a transaction that sleeps with its locks: nobody can claim the partition until it ends. Either its
// COMMIT still counts when it wakes up, or the database has ended its session meanwhile and it is stale.
func (n *nemesis) sleepingCommit(ctx context.Context, s step, c *catch) bool {
	began := time.Now()
	slept := pause(ctx, sessionTimeout+time.Second+s.For)
	n.stoodStill(began)
	c.release(true)
	return slept
}

// takenOver waits until the other archiver has committed one of parts.
func (n *nemesis) takenOver(ctx context.Context, subject int, parts []partition) bool {
	bound, cancel := context.WithTimeout(ctx, takeover)
	defer cancel()
	before := map[partition]int{}
	n.watch.until(bound, func() bool {
		for _, p := range parts {
			before[p] = n.watch.commits[p]
		}
		return true
	})
	return n.watch.until(bound, func() bool {
		for _, p := range parts {
			if n.watch.commits[p] > before[p] && n.watch.by[p].subject != subject {
				return true
			}
		}
		return false
	})
}
