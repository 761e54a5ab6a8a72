package archive_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/events"
)

// TestCrashAtEveryCall kills the archiver before and after each of its calls to the bucket and the ledger; a second one
// takes over. Whatever the first left behind, the archive ends up whole and each range is announced once.
func TestCrashAtEveryCall(t *testing.T) {
	tp := partitionOf("events.flights", 0)
	log, end := randomLog(rand.New(rand.NewPCG(7, 7)), 12)
	for call := 1; ; call++ {
		for _, after := range []bool{false, true} {
			w := newWorld()
			ctx, cancel := context.WithCancel(t.Context())
			l := &life{kill: cancel, end: call, after: after}
			a := w.archiver(t, func(c *archive.Config) { c.MaxRows = 4; l.mortal(c) })
			feed(ctx, a, tp, log, end)
			cancel()
			if !l.dead {
				if call < 20 {
					t.Fatalf("only %d calls: the test is void", call-1)
				}
				return
			}
			t.Run(fmt.Sprintf("%d/after=%t", call, after), func(t *testing.T) {
				b := w.archiver(t, func(c *archive.Config) { c.MaxRows = 5 })
				feed(t.Context(), b, tp, log, end)
				w.check(t, tp, log)
				w.whole(t)
				w.announced(t, tp)
			})
		}
	}
}

// feed delivers the whole log in threes and hands off.
func feed(ctx context.Context, a *archive.Archiver, tp events.TopicPartition, log []events.Record, end int64) {
	pos, err := a.Assigned(ctx, tp)
	for err == nil && pos < end {
		recs, next := cut(log, pos, 3, end)
		err = a.Records(ctx, tp, recs, next, end)
		pos = next
	}
	if err == nil {
		err = a.Records(ctx, tp, nil, end, end)
	}
	if err == nil {
		a.Revoked(ctx, tp)
	}
}

// cut takes up to n records of a log from pos on, and the offset behind them.
func cut(log []events.Record, pos int64, n int, end int64) ([]events.Record, int64) {
	for i := range log {
		if log[i].Offset < pos {
			continue
		}
		if i+n >= len(log) {
			return log[i:], end
		}
		return log[i : i+n], log[i+n-1].Offset + 1
	}
	return nil, end
}

// announced fails unless each flush has one event.
func (w world) announced(t *testing.T, tps ...events.TopicPartition) {
	t.Helper()
	evs, err := w.ledger.PendingEvents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]int{}
	for _, ev := range evs {
		ids[ev.ID()]++
	}
	for _, tp := range tps {
		for _, f := range w.flushes(t, tp) {
			if id := fmt.Sprintf("%s-%d-%d-%d", tp.ID(), tp.Partition, f.Start, f.End); ids[id] != 1 {
				t.Errorf("%d events for [%d, %d) of %s", ids[id], f.Start, f.End, tp)
			} else {
				delete(ids, id)
			}
		}
	}
	if len(ids) > 0 {
		t.Errorf("events of no flush: %v", ids)
	}
}

// TestRivalArchivers lets two archivers at a time work on the same partitions, as after a rebalance that one of them
// missed. Both are killed, stopped, paused past their claims, and have failing calls, again and again. Every offset must
// be archived once. A run in which nobody was fenced proves nothing and fails.
func TestRivalArchivers(t *testing.T) {
	var all fates
	for seed := range uint64(6) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			c := newChaos(seed)
			synctest.Test(t, c.run)
			for i, tp := range c.tps {
				c.world.check(t, tp, c.logs[i])
			}
			report := c.world.whole(t)
			c.world.announced(t, c.tps...)
			t.Logf("%d flushes, %d files, %d lives, %d fenced, %+v", report.Flushes, report.Files, c.lives, c.fenced, c.fates)
			if c.fenced == 0 {
				t.Error("nobody was fenced: the run is void")
			}
			all.add(c.fates)
		})
	}
	if all.killedBefore == 0 || all.killedAfter == 0 || all.failed == 0 || all.deaf == 0 || all.paused == 0 {
		t.Errorf("a fault was not met: the runs are void: %+v", all)
	}
}

type chaos struct {
	world world
	tps   []events.TopicPartition
	logs  [][]events.Record
	ends  []int64

	mu     sync.Mutex
	rng    *rand.Rand
	lives  int
	fenced int
	fates  fates
}

func newChaos(seed uint64) *chaos {
	c := &chaos{world: newWorld(), rng: rand.New(rand.NewPCG(seed, 1))}
	for n := range int32(3) {
		log, end := randomLog(c.rng, 400)
		c.tps, c.logs, c.ends = append(c.tps, partitionOf("events.flights", n)), append(c.logs, log), append(c.ends, end)
	}
	return c
}

// random returns a number below n.
func (c *chaos) random(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rng.IntN(n)
}

func (c *chaos) run(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
	defer cancel()
	var slots sync.WaitGroup
	for range 2 {
		slots.Go(func() {
			for ctx.Err() == nil && !c.complete(t) {
				c.live(ctx, t)
			}
		})
	}
	slots.Wait()
	if !c.complete(t) {
		t.Error("not archived within a day")
	}
	for _, tp := range c.tps { // the next owner writes a manifest that a killed one left out
		assign(t, c.world.archiver(t, nil), tp)
	}
}

func (c *chaos) complete(t *testing.T) bool {
	states, err := c.world.ledger.Partitions(t.Context(), "")
	if err != nil || len(states) < len(c.tps) {
		return false
	}
	for i, s := range states { // in the order of partitions
		if s.Next < c.ends[i] {
			return false
		}
	}
	return true
}

// live is one process from its start to its end.
func (c *chaos) live(ctx context.Context, t *testing.T) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l := &life{kill: cancel, rng: rand.New(rand.NewPCG(uint64(c.random(1<<30)), 2)), after: c.random(2) == 0}
	if c.random(3) > 0 {
		l.end = 5 + c.random(100)
	}
	a := c.world.archiver(t, func(cfg *archive.Config) {
		cfg.MaxRows, cfg.MaxAge, cfg.MaxFiles = 5+c.random(80), time.Duration(1+c.random(20))*time.Second, 2+c.random(5)
		cfg.Budget, cfg.Drain = int64(5000+c.random(100000)), 5*time.Second
		l.mortal(cfg)
	})
	var taps, worker sync.WaitGroup
	stop, stopRun := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRun()
	worker.Go(func() {
		if err := a.Run(stop); err != nil {
			t.Error(err)
		}
	})
	for i := range c.tps {
		taps.Go(func() { c.tap(ctx, a, i) })
	}
	span := time.NewTimer(time.Duration(1+c.random(120)) * time.Second)
	defer span.Stop()
	select {
	case <-ctx.Done():
	case <-span.C:
		if c.random(2) == 0 {
			l.die()
		}
	}
	cancel()
	taps.Wait()
	stopRun()
	worker.Wait()
	c.bury(l)
}

// bury adds up what happened in a life.
func (c *chaos) bury(l *life) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lives++
	c.fenced += l.fenced
	c.fates.add(l.fates)
}

// tap delivers one partition as events/kafka does: in order, with pauses, assigned again after an error, and told about
// its end only when nothing waits.
func (c *chaos) tap(ctx context.Context, a *archive.Archiver, i int) {
	tp, log, end := c.tps[i], c.logs[i], c.ends[i]
	for ctx.Err() == nil {
		pos, err := a.Assigned(ctx, tp)
		for err == nil && ctx.Err() == nil {
			if pos >= end {
				c.wait(ctx, time.Second)
				err = a.Records(ctx, tp, nil, end, end)
				continue
			}
			recs, next := cut(log, pos, 1+c.random(60), end)
			if err = a.Records(ctx, tp, recs, next, end); err == nil {
				pos = next
			}
			c.wait(ctx, 200*time.Millisecond)
		}
		c.wait(ctx, 3*time.Second)
	}
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	a.Revoked(bound, tp)
}

func (c *chaos) wait(ctx context.Context, most time.Duration) {
	timer := time.NewTimer(time.Duration(1 + c.random(int(most))))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
