package registry_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

func production() registry.Tag { return registry.Tag{Model: "flight-delay", Name: "production"} }

func promotion(p registry.Package, expect int64) registry.TagMove {
	return registry.TagMove{Tag: production(), Expect: expect, Arms: registry.One(p.ID), Actor: "kelley", Reason: "better"}
}

func TestPromote(t *testing.T) {
	b := newBench(t)
	one, two := b.publish(t, "one"), b.publish(t, "two")
	q := promotion(one, 0)
	q.Op, q.Evidence = "first", cas.Sum([]byte("evaluation"))
	s, err := b.Promote(t.Context(), q)
	if err != nil || s.Generation != 1 || s.Arms[0].Package != one.ID || s.Evidence != q.Evidence {
		t.Fatalf("Promote = %+v, %v", s, err)
	}
	if s, err = b.Promote(t.Context(), promotion(two, 1)); err != nil || s.Generation != 2 {
		t.Fatalf("Promote = %+v, %v", s, err)
	}
	ev := last[events.TagMoved](t, b, events.TypeTagMoved)
	want := fmt.Sprintf("%+v", events.TagMoved{Tag: "flight-delay/production", Generation: 2,
		Previous: []events.Arm{{Package: one.ID.String(), Weight: 10000}}, Next: []events.Arm{{Package: two.ID.String(), Weight: 10000}},
		Actor: "kelley", Reason: "better"})
	if fmt.Sprintf("%+v", ev) != want {
		t.Errorf("event = %+v, want %s", ev, want)
	}
	evs := b.events(t)
	if e := evs[len(evs)-1]; e.ID() != "flight-delay/production/2" || e.Subject() != "flight-delay/production" {
		t.Errorf("event %s about %s", e.ID(), e.Subject())
	}

	// Somebody who saw generation 1 loses, and learns where the tag is.
	for _, expect := range []int64{0, 1, 3} {
		if s, err := b.Promote(t.Context(), promotion(one, expect)); !errors.Is(err, registry.ErrTagMoved) || s.Generation != 2 {
			t.Errorf("expecting %d: generation %d, %v", expect, s.Generation, err)
		}
	}
	// The first promoter did not hear the answer and asks again.
	if s, err := b.Promote(t.Context(), q); err != nil || s.Generation != 1 {
		t.Errorf("repeat = %+v, %v", s, err)
	}
	if n := len(b.events(t)); n != len(evs) {
		t.Errorf("%d events of moves that did not happen", n-len(evs))
	}
}

func TestPromoteRefused(t *testing.T) {
	b := newBench(t)
	p, other := b.publish(t, "one"), b.publish(t, "two")
	for name, change := range map[string]func(*registry.TagMove){
		"no name":           func(q *registry.TagMove) { q.Tag.Name = "" },
		"bad name":          func(q *registry.TagMove) { q.Tag.Name = "a/b" },
		"nobody":            func(q *registry.TagMove) { q.Actor = "" },
		"negative":          func(q *registry.TagMove) { q.Expect = -1 },
		"no arms":           func(q *registry.TagMove) { q.Arms = nil },
		"half the traffic":  func(q *registry.TagMove) { q.Arms[0].Weight = 5000 },
		"weight of nothing": func(q *registry.TagMove) { q.Arms = append(q.Arms, registry.Arm{Package: other.ID}) },
		"package twice": func(q *registry.TagMove) {
			q.Arms = []registry.Arm{{Package: p.ID, Weight: 5000}, {Package: p.ID, Weight: 5000}}
		},
		"unpublished package": func(q *registry.TagMove) { q.Arms = registry.One(cas.Sum(nil)) },
	} {
		q := promotion(p, 0)
		change(&q)
		_, err := b.Promote(t.Context(), q)
		wantInvalid(t, name, err, "promote")
	}
	if tags := must(b.Tags(t.Context()))(t); len(tags) != 0 {
		t.Errorf("tags = %+v", tags)
	}
	q := promotion(p, 0)
	q.Arms = []registry.Arm{{Package: p.ID, Weight: 9000}, {Package: other.ID, Weight: 1000}}
	if s, err := b.Promote(t.Context(), q); err != nil || len(s.Arms) != 2 {
		t.Errorf("two arms = %+v, %v", s, err)
	}
}

// Every event names the value that its generation replaced, whoever races.
func TestPromoteConcurrently(t *testing.T) {
	b := newBench(t)
	var pkgs []registry.Package
	for i := range 8 {
		pkgs = append(pkgs, b.publish(t, fmt.Sprint(i)))
	}
	var wg sync.WaitGroup
	for _, p := range pkgs {
		wg.Go(func() {
			for range 20 {
				cur, err := b.Resolve(t.Context(), production())
				if err != nil && !errors.Is(err, registry.ErrNotFound) {
					t.Error(err)
				}
				if _, err := b.Promote(t.Context(), promotion(p, cur.Generation)); err != nil && !errors.Is(err, registry.ErrTagMoved) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	before := ""
	var gen int64
	for _, ev := range b.events(t) {
		if ev.Type() != events.TypeTagMoved {
			continue
		}
		var m events.TagMoved
		if err := ev.DataAs(&m); err != nil {
			t.Fatal(err)
		}
		if gen++; m.Generation != gen || gen > 1 && m.Previous[0].Package != before {
			t.Fatalf("event %d says generation %d over %v, want over %s", gen, m.Generation, m.Previous, before)
		}
		before = m.Next[0].Package
	}
	if s := must(b.Resolve(t.Context(), production()))(t); s.Generation != gen || gen == 0 {
		t.Errorf("tag at %d after %d events", s.Generation, gen)
	}
}

func TestRollback(t *testing.T) {
	b := newBench(t)
	var pkgs []registry.Package
	for i := range 3 {
		pkgs = append(pkgs, b.publish(t, fmt.Sprint(i)))
		must(b.Promote(t.Context(), promotion(pkgs[i], int64(i))))(t)
	}
	s, err := b.Rollback(t.Context(), registry.RollbackRequest{Tag: production(), Expect: 3, Actor: "rob", Op: "r"})
	if err != nil || s.Generation != 4 || s.Arms[0].Package != pkgs[1].ID || s.Reason != "back to generation 2" {
		t.Fatalf("Rollback = %+v, %v", s, err)
	}
	if s, err = b.Rollback(t.Context(), registry.RollbackRequest{Tag: production(), To: 1, Expect: 4, Actor: "rob", Reason: "bad"}); err != nil ||
		s.Generation != 5 || s.Arms[0].Package != pkgs[0].ID || s.Reason != "bad" {
		t.Errorf("Rollback = %+v, %v", s, err)
	}
	if s, err = b.Rollback(t.Context(), registry.RollbackRequest{Tag: production(), Expect: 3, Actor: "rob", Op: "r"}); err != nil || s.Generation != 4 {
		t.Errorf("repeat = %+v, %v", s, err)
	}
	if _, err = b.Rollback(t.Context(), registry.RollbackRequest{Tag: production(), Expect: 3, Actor: "rob"}); !errors.Is(err, registry.ErrTagMoved) {
		t.Errorf("late: %v, want ErrTagMoved", err)
	}
	for _, to := range []int64{-1, 6} {
		if _, err = b.Rollback(t.Context(), registry.RollbackRequest{Tag: production(), To: to, Expect: 5, Actor: "rob"}); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("to generation %d: %v, want ErrNotFound", to, err)
		}
	}
	if h := must(b.History(t.Context(), production()))(t); len(h) != 5 {
		t.Errorf("history of %d", len(h))
	}
}

func TestHistoryAsOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		start := time.Now()
		for i := range 3 {
			<-time.After(time.Hour) // virtual
			must(b.Promote(t.Context(), promotion(b.publish(t, fmt.Sprint(i)), int64(i))))(t)
		}
		for after, want := range map[time.Duration]int64{time.Hour: 1, 2*time.Hour - 1: 1, 2 * time.Hour: 2, 9 * time.Hour: 3} {
			if s, err := b.HistoryAsOf(t.Context(), production(), start.Add(after)); err != nil || s.Generation != want {
				t.Errorf("after %v: generation %d, %v, want %d", after, s.Generation, err, want)
			}
		}
		if _, err := b.HistoryAsOf(t.Context(), production(), start); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("before the first: %v, want ErrNotFound", err)
		}
	})
}
