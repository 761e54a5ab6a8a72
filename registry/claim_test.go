package registry_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
)

// queued is a run at its first attempt, which nobody executes yet.
func queued(t *testing.T) (bench, registry.Run) {
	t.Helper()
	b, run := requested(t)
	return b, must(b.QueueRun(t.Context(), run.ID, "CPU"))(t)
}

// A cluster started one job several times at once: one of them gets the attempt, and hears so as often as it asks.
func TestClaimOnce(t *testing.T) {
	b, run := queued(t)
	executors := []string{"pod-a", "pod-b", "pod-c", "pod-d"}
	var wg sync.WaitGroup
	won := make([]bool, len(executors))
	for i, name := range executors {
		wg.Go(func() {
			_, err := b.ClaimRun(t.Context(), run.ID, 1, name)
			if won[i] = err == nil; err != nil && !errors.Is(err, registry.ErrRunMoved) {
				t.Errorf("claim: %v", err)
			}
		})
	}
	wg.Wait()
	after := must(b.Run(t.Context(), run.ID))(t)
	for i, name := range executors {
		if won[i] != (after.Executor == name) {
			t.Errorf("%s won: %v, the attempt is %s's", name, won[i], after.Executor)
		}
	}
	before := len(after.History)
	if _, err := b.ClaimRun(t.Context(), run.ID, 1, after.Executor); err != nil {
		t.Errorf("repeated claim: %v", err)
	}
	if after = must(b.Run(t.Context(), run.ID))(t); len(after.History) != before {
		t.Errorf("the repeat is in the history: %+v", after.History)
	}
	started := 0
	for _, e := range b.events(t) {
		if e.Type() == events.TypeRunStarted {
			started++
		}
	}
	if started != 1 {
		t.Errorf("%d run.started, want 1", started)
	}
}

// Who follows the job saw it run before the job could claim its attempt.
func TestClaimAfterStart(t *testing.T) {
	b, run := queued(t)
	must(b.StartRun(t.Context(), run.ID, 1, nil))(t)
	if got, err := b.ClaimRun(t.Context(), run.ID, 1, "pod"); err != nil || got.Executor != "pod" {
		t.Errorf("claim = %+v, %v", got, err)
	}
}

func TestClaimRefused(t *testing.T) {
	b, run := queued(t)
	for name, claim := range map[string]struct {
		attempt  int
		executor string
		want     error
	}{
		"later attempt": {2, "pod", registry.ErrRunMoved},
		"no name":       {1, "", registry.ErrInvalid},
		"long name":     {1, strings.Repeat("x", 129), registry.ErrInvalid},
	} {
		if _, err := b.ClaimRun(t.Context(), run.ID, claim.attempt, claim.executor); !errors.Is(err, claim.want) {
			t.Errorf("%s: %v, want %v", name, err, claim.want)
		}
	}
	must(b.CancelRun(t.Context(), run.ID, "enough"))(t)
	if _, err := b.ClaimRun(t.Context(), run.ID, 1, "pod"); !errors.Is(err, registry.ErrRunMoved) {
		t.Errorf("claim of a cancelled run: %v, want ErrRunMoved", err)
	}
}

// The attempt after an out-of-memory kill has another class, which its package's provenance says.
func TestProvenanceOfAttempts(t *testing.T) {
	b, run := queued(t)
	must(b.ClaimRun(t.Context(), run.ID, 1, "pod-1"))(t)
	must(b.RetryRun(t.Context(), run.ID, 1, "HIGH_MEMORY", "OutOfMemory: limit 1 GiB"))(t)
	if got, err := b.NoteRun(t.Context(), run.ID, 2, "waits for memory"); err != nil || got.State != registry.RunQueued {
		t.Errorf("note = %+v, %v", got, err)
	}
	must(b.ClaimRun(t.Context(), run.ID, 2, "pod-2"))(t)
	if _, err := b.NoteRun(t.Context(), run.ID, 2, "late"); !errors.Is(err, registry.ErrRunMoved) {
		t.Errorf("note on a run that runs: %v, want ErrRunMoved", err)
	}
	p := made(t, b, run, "model")
	must(b.CompleteRun(t.Context(), run.ID, 2, p.ID, nil))(t)
	var body registry.Provenance
	if err := json.Unmarshal(must(b.Attestations(t.Context(), p.ID))(t)[0].Body, &body); err != nil {
		t.Fatal(err)
	}
	want := []registry.AttemptProvenance{
		{Attempt: 1, ComputeClass: "CPU", GivenUp: "OutOfMemory: limit 1 GiB"}, {Attempt: 2, ComputeClass: "HIGH_MEMORY"},
	}
	if !reflect.DeepEqual(body.Attempts, want) {
		t.Errorf("attempts = %+v, want %+v", body.Attempts, want)
	}
}
