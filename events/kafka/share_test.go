package kafka

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// However much comes for lanes that do nothing, what waits stays within the budget, and every lane has a part of it.
func TestQueuesShareTheBudget(t *testing.T) {
	const lanes, budget = 200, 64 << 20
	g := newGroup(Config{}.withDefaults(), true, 0)
	g.share.budget, g.share.fetch = budget, 1<<20
	cl := newTestLane(t).cl
	for p := range int32(lanes) {
		g.add(cl, "t", p)
	}
	fetch := budget / 2 / lanes / 2 // what divide asks the brokers for, in memory
	paused := func() int { return len(cl.PauseFetchPartitions(nil)["t"]) }
	for round := 0; paused() < lanes; round++ {
		if round == laneDepth {
			t.Fatalf("%d of %d partitions are paused after %d fetches of each", paused(), lanes, round)
		}
		stopped := map[int32]bool{}
		for _, p := range cl.PauseFetchPartitions(nil)["t"] {
			stopped[p] = true
		}
		ft := kgo.FetchTopic{Topic: "t"}
		for p := range int32(lanes) {
			if !stopped[p] {
				ft.Partitions = append(ft.Partitions, kgo.FetchPartition{Partition: p, Records: []*kgo.Record{{Value: make([]byte, fetch)}}})
			}
		}
		g.deliver(cl, &ft)
	}
	var waiting int64
	for _, l := range g.all() {
		if l.queued < int64(fetch) {
			t.Errorf("partition %d has only %d bytes", l.partition, l.queued)
		}
		waiting += l.queued + int64(fetch) // and what the owner may have in hand
	}
	if waiting > budget+budget/50 {
		t.Errorf("%d bytes wait, of %d", waiting, budget)
	}
}

// A lane that is alone queues fetches of the full size, and gives memory back as they are taken.
func TestQueueOfOneLane(t *testing.T) {
	g := newGroup(Config{}.withDefaults(), true, 0)
	g.share.budget, g.share.fetch = 64<<20, 1<<20
	l := g.add(newTestLane(t).cl, "t", 0)
	for range laneDepth {
		if l.paused {
			t.Fatal("paused with room left")
		}
		l.push(fetched{bytes: 1 << 20})
	}
	if !l.paused || l.queued != laneDepth<<20 {
		t.Fatalf("paused %v with %d bytes", l.paused, l.queued)
	}
	for range laneDepth {
		l.take(0)
	}
	if l.paused || l.queued != 0 {
		t.Errorf("paused %v with %d bytes", l.paused, l.queued)
	}
	l.push(fetched{bytes: 33 << 20}) // one fetch that grew
	if !l.paused {
		t.Error("not paused above the budget's half")
	}
	g.seek(l, 0)
	if l.queued != 0 {
		t.Errorf("%d bytes after a seek", l.queued)
	}
}

// The poll loop waits while half of the budget is in queues and hands, as long as owners may give something back.
func TestPollWaitsForOwners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(Config{}.withDefaults(), true, 0)
		g.share.budget, g.share.fetch = 64<<20, 1<<20
		l := newLane(newTestLane(t).cl, "t", 0)
		l.share = &g.share
		await := func() (waited time.Duration) {
			began := time.Now()
			g.share.await(context.Background())
			return time.Since(began)
		}
		l.push(fetched{bytes: 31 << 20})
		if waited := await(); waited != 0 {
			t.Errorf("waited %s with room left", waited)
		}
		l.push(fetched{bytes: 5 << 20})
		if waited := await(); waited != patience {
			t.Errorf("waited %s for an owner that does nothing, want %s", waited, patience)
		}
		l.take(0) // in its hands: nothing is free yet
		if waited := await(); waited != patience {
			t.Errorf("waited %s while all is in hands or queues, want %s", waited, patience)
		}
		go func() {
			time.Sleep(patience / 5)
			l.take(0) // is done with the first
		}()
		if waited := await(); waited != patience/5 {
			t.Errorf("waited %s for an owner that took %s", waited, patience/5)
		}
		l.emptied()
		if held := g.share.held.Load(); held != 0 {
			t.Errorf("%d bytes held by nobody", held)
		}
	})
}
