package registrytest

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/signalbox-ml/signalbox/registry"
)

// steps of a random history. The seed is fixed: a failure repeats, and its step number says where.
const steps = 150

// testRandomTags plays random moves, stale ones and replays among them, and compares every answer with a model that is
// a list of generations and a map of operations.
func testRandomTags(t *testing.T, c registry.Catalog) {
	rng := rand.New(rand.NewPCG(1, 2))
	tags := []registry.Tag{{Model: "a", Name: "x"}, {Model: "a", Name: "y"}}
	history := map[registry.Tag][]registry.TagState{}
	done := map[string]registry.TagState{}
	var outbox []string
	for i := range steps {
		tag := tags[rng.IntN(len(tags))]
		now := int64(len(history[tag]))
		m := moveTo("p"+strconv.Itoa(rng.IntN(3)), max(0, now-rng.Int64N(3)+rng.Int64N(2)), tag.String()+strconv.Itoa(rng.IntN(steps)))
		m.Tag = tag
		ev := "step " + strconv.Itoa(i)
		got, err := c.MoveTag(t.Context(), m, event(t, ev))

		var want registry.TagState
		if now > 0 {
			want = history[tag][now-1]
		}
		var wantErr error
		if s, ok := done[m.Op]; ok {
			want = s
		} else if m.Expect != now {
			wantErr = registry.ErrTagMoved
		} else {
			want = stateOf(m, want.Arms)
			history[tag] = append(history[tag], want)
			done[m.Op] = want
			outbox = append(outbox, ev)
		}
		if !errors.Is(err, wantErr) {
			t.Fatalf("step %d: %v, want %v", i, err, wantErr)
		}
		want.Tag, got.Tag = tag, tag // a refusal without a tag has the zero state
		equal(t, ev, got, want)
		if t.Failed() {
			return
		}
	}
	for _, tag := range tags {
		got, err := c.TagHistory(t.Context(), tag)
		if err != nil || len(got) != len(history[tag]) {
			t.Fatalf("history of %s: %d generations, %v, want %d", tag, len(got), err, len(history[tag]))
		}
		for i := range got {
			equal(t, "history of "+tag.String(), got[i], history[tag][i])
		}
	}
	wantOutbox(t, c, outbox...)
}

// testRandomRuns plays random creations and changes and compares every answer with a model of state and attempt.
func testRandomRuns(t *testing.T, c registry.Catalog) {
	rng := rand.New(rand.NewPCG(3, 4))
	states := []registry.RunState{registry.RunRequested, registry.RunQueued, registry.RunRunning, registry.RunComplete,
		registry.RunFailed, registry.RunCancelled}
	keys := []string{"a", "b", "c"}
	history := map[string][]registry.Transition{}
	var outbox []string
	for i := range steps {
		key, ev := keys[rng.IntN(len(keys))], "step "+strconv.Itoa(i)
		if rng.IntN(5) == 0 {
			_, created, err := c.CreateRun(t.Context(), newRun(key, i%60), event(t, ev))
			if err != nil || created != (history[key] == nil) {
				t.Fatalf("%s: created %v, %v", ev, created, err)
			}
			if created {
				history[key] = []registry.Transition{{State: registry.RunRequested, At: at(i % 60)}}
				outbox = append(outbox, ev)
			}
			continue
		}
		v := move(key, states[rng.IntN(3)], rng.IntN(3), states[rng.IntN(len(states))], rng.IntN(3), i%60)
		v.From = append(v.From, states[rng.IntN(len(states))])
		h := history[key]
		var want error
		switch {
		case h == nil:
			want = registry.ErrNotFound
		case h[len(h)-1].Attempt != v.FromAttempt || !slices.Contains(v.From, h[len(h)-1].State):
			want = registry.ErrRunMoved
		default:
			history[key] = append(h, registry.Transition{State: v.To, Attempt: v.Attempt, Reason: v.Reason, At: v.At})
			outbox = append(outbox, ev)
		}
		got, err := c.ChangeRun(t.Context(), v, event(t, ev))
		if !errors.Is(err, want) {
			t.Fatalf("%s: %v, want %v", ev, err, want)
		}
		if err == nil && (got.State != v.To || got.Attempt != v.Attempt) {
			t.Fatalf("%s: %s at attempt %d, want %s at %d", ev, got.State, got.Attempt, v.To, v.Attempt)
		}
	}
	for key, h := range history {
		got, err := c.Run(t.Context(), runID(key))
		if err != nil {
			t.Fatal(err)
		}
		want := newRun(key, 0)
		want.Created = h[0].At
		want.State, want.Attempt, want.Updated, want.History = h[len(h)-1].State, h[len(h)-1].Attempt, h[len(h)-1].At, h
		equal(t, "run "+key, got, want)
	}
	wantOutbox(t, c, outbox...)
}
