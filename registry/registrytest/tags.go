package registrytest

import (
	"errors"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/signalbox-ml/signalbox/registry"
)

func production() registry.Tag { return registry.Tag{Model: "fraud", Name: "production"} }

func arms(pkg string) []registry.Arm { return []registry.Arm{{Package: digest(pkg), Weight: 10000}} }

// moveTo points production at pkg, as operation op at the second after expect.
func moveTo(pkg string, expect int64, op string) registry.TagMove {
	return registry.TagMove{
		Tag: production(), Expect: expect, Arms: arms(pkg), Actor: "kelley", Reason: "better " + pkg,
		Evidence: digest("evaluation of " + pkg), Op: op, At: at(int(expect) + 1),
	}
}

// stateOf is what a move of production makes, over previous.
func stateOf(m registry.TagMove, previous []registry.Arm) registry.TagState {
	return registry.TagState{
		Tag: m.Tag, Arms: m.Arms, Generation: m.Expect + 1, Previous: previous, Actor: m.Actor, Reason: m.Reason,
		Evidence: m.Evidence, At: m.At,
	}
}

func testMoveTag(t *testing.T, c registry.Catalog) {
	if _, err := c.Tag(t.Context(), production()); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("no tag: %v, want ErrNotFound", err)
	}
	if _, err := c.TagHistory(t.Context(), production()); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("no history: %v, want ErrNotFound", err)
	}
	// A, B, then A again: three generations, not two.
	var want []registry.TagState
	var previous []registry.Arm
	for i, pkg := range []string{"a", "b", "a"} {
		m := moveTo(pkg, int64(i), "op"+strconv.Itoa(i))
		if pkg == "b" {
			m.Arms = []registry.Arm{{Package: digest("b"), Weight: 9000}, {Package: digest("a"), Weight: 1000}}
		}
		got, err := c.MoveTag(t.Context(), m, event(t, strconv.Itoa(i)))
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, stateOf(m, previous))
		equal(t, "moved", got, want[i])
		now, err := c.Tag(t.Context(), production())
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "tag", now, want[i])
		previous = m.Arms
	}
	got, err := c.TagHistory(t.Context(), production())
	if err != nil || len(got) != len(want) {
		t.Fatalf("history of %d, %v, want %d", len(got), err, len(want))
	}
	for i := range want {
		equal(t, "history", got[i], want[i])
	}
	wantOutbox(t, c, "0", "1", "2")
}

func testMoveTagRefused(t *testing.T, c registry.Catalog) {
	got, err := c.MoveTag(t.Context(), moveTo("a", 3, "early"), event(t, "never"))
	if !errors.Is(err, registry.ErrTagMoved) || got.Generation != 0 || len(got.Arms) != 0 {
		t.Errorf("no tag yet: %+v, %v, want the zero state and ErrTagMoved", got, err)
	}
	first := moveTo("a", 0, "op")
	if _, err := c.MoveTag(t.Context(), first, event(t, "e1")); err != nil {
		t.Fatal(err)
	}
	for _, expect := range []int64{0, 2, -1} {
		got, err := c.MoveTag(t.Context(), moveTo("b", expect, "late"), event(t, "never"))
		if !errors.Is(err, registry.ErrTagMoved) {
			t.Errorf("expecting %d of 1: %v, want ErrTagMoved", expect, err)
		}
		equal(t, "current state with the refusal", got, stateOf(first, nil))
	}
	if h, err := c.TagHistory(t.Context(), production()); err != nil || len(h) != 1 {
		t.Errorf("history of %d after refusals, %v", len(h), err)
	}
	wantOutbox(t, c, "e1")
	// A refused operation did not happen, so it may be tried again.
	if _, err := c.MoveTag(t.Context(), moveTo("b", 1, "late"), event(t, "e2")); err != nil {
		t.Errorf("refused operation tried again: %v", err)
	}
	wantOutbox(t, c, "e1", "e2")
}

func testMoveTagReplay(t *testing.T, c registry.Catalog) {
	a, b := moveTo("a", 0, "op-a"), moveTo("b", 1, "op-b")
	for _, m := range []registry.TagMove{a, b} {
		if _, err := c.MoveTag(t.Context(), m, event(t, m.Op)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := c.MoveTag(t.Context(), a, event(t, "never"))
	if err != nil {
		t.Fatalf("replay: %v", err)
	}
	equal(t, "replayed", got, stateOf(a, nil))
	// The operation is known by its name, not by what the repeat says.
	got, err = c.MoveTag(t.Context(), moveTo("z", 7, "op-b"), event(t, "never"))
	if err != nil {
		t.Fatalf("replay with other words: %v", err)
	}
	equal(t, "replayed", got, stateOf(b, a.Arms))
	// Another tag has operations of its own.
	other := moveTo("a", 0, "op-a")
	other.Tag.Name = "staging"
	if got, err = c.MoveTag(t.Context(), other, event(t, "other")); err != nil {
		t.Fatalf("same operation name on another tag: %v", err)
	}
	equal(t, "other tag", got, stateOf(other, nil))
	if now, err := c.Tag(t.Context(), production()); err != nil || now.Generation != 2 {
		t.Errorf("tag at generation %d, %v, want 2", now.Generation, err)
	}
	wantOutbox(t, c, "op-a", "op-b", "other")
}

func testMoveTagReplayConcurrently(t *testing.T, c registry.Catalog) {
	for gen := range int64(3) {
		m := moveTo("a", gen, "op"+strconv.FormatInt(gen, 10))
		race(func(int) {
			got, err := c.MoveTag(t.Context(), m, event(t, m.Op))
			if err != nil || got.Generation != gen+1 {
				t.Errorf("repeat = generation %d, %v, want %d", got.Generation, err, gen+1)
			}
		})
	}
	wantOutbox(t, c, "op0", "op1", "op2")
}

// testMoveTagConcurrently counts: winners = history rows = events = final generation.
func testMoveTagConcurrently(t *testing.T, c registry.Catalog) {
	var winners atomic.Int64
	race(func(w int) {
		for i := range 12 {
			var expect int64
			now, err := c.Tag(t.Context(), production())
			if err == nil {
				expect = now.Generation
			} else if !errors.Is(err, registry.ErrNotFound) {
				t.Errorf("Tag: %v", err)
				return
			}
			op := strconv.Itoa(w) + "/" + strconv.Itoa(i)
			got, err := c.MoveTag(t.Context(), moveTo(op, expect, op), event(t, op))
			switch {
			case err == nil && got.Generation == expect+1:
				winners.Add(1)
			case errors.Is(err, registry.ErrTagMoved) && got.Generation != expect:
			default:
				t.Errorf("MoveTag over %d = generation %d, %v", expect, got.Generation, err)
			}
		}
	})
	h, err := c.TagHistory(t.Context(), production())
	if err != nil {
		t.Fatal(err)
	}
	evs := pending(t, c)
	if n := winners.Load(); n == 0 || int64(len(h)) != n || int64(len(evs)) != n || h[n-1].Generation != n {
		t.Fatalf("%d winners, %d generations, %d events, the last %d: want them equal", n, len(h), len(evs), h[len(h)-1].Generation)
	}
	var previous []registry.Arm
	for i, s := range h {
		if s.Generation != int64(i)+1 {
			t.Fatalf("generation %d at place %d: gap", s.Generation, i)
		}
		equal(t, "previous", s.Previous, previous)
		// Consumers of a compacted topic see only the last event: its order must be the order of the generations.
		if want := "better " + evs[i].ID(); s.Reason != want {
			t.Fatalf("event %d is %q, but generation %d is %q", i, want, s.Generation, s.Reason)
		}
		previous = s.Arms
	}
}

func testListTags(t *testing.T, c registry.Catalog) {
	if got, err := c.ListTags(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("no tags = %v, %v", got, err)
	}
	var want []registry.TagState
	for _, tag := range []registry.Tag{{Model: "b", Name: "x"}, {Model: "a", Name: "y"}, {Model: "a", Name: "x"}} {
		m := moveTo("p", 0, "op")
		m.Tag = tag
		s, err := c.MoveTag(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		want = append([]registry.TagState{s}, want...)
	}
	m := moveTo("q", 1, "op2")
	m.Tag = want[0].Tag
	s, err := c.MoveTag(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	want[0] = s
	got, err := c.ListTags(t.Context())
	if err != nil || len(got) != len(want) {
		t.Fatalf("ListTags = %d, %v, want %d", len(got), err, len(want))
	}
	for i := range want {
		equal(t, "tags by model and name, each at its newest", got[i], want[i])
	}
}
