package raybackend

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/registry"
)

func TestState(t *testing.T) {
	now := time.Now()
	ago := func(d time.Duration) int64 { return now.Add(-d).UnixMilli() }
	minute := map[string]string{metaDeadline: "1m0s"}
	for name, tc := range map[string]struct {
		job   details
		phase train.Phase
		cause train.Cause
		words string
	}{
		"pending":           {details{Status: statusPending, Message: "Job has not started yet."}, train.PhasePending, "", "not started"},
		"running":           {details{Status: statusRunning, Start: ago(time.Hour), Metadata: minute}, train.PhaseRunning, "", ""},
		"succeeded late":    {details{Status: statusSucceeded, Start: ago(time.Hour), End: ago(0), Metadata: minute}, train.PhaseSucceeded, "", ""},
		"stopped":           {details{Status: statusStopped, Start: ago(time.Hour), End: ago(time.Hour - 30*time.Second), Metadata: minute}, train.PhaseFailed, train.CauseDisrupted, "stopped"},
		"stopped, no limit": {details{Status: statusStopped, Start: ago(time.Hour), End: ago(0)}, train.PhaseFailed, train.CauseDisrupted, "stopped"},
		"stopped, deadline": {details{Status: statusStopped, Start: ago(time.Hour), End: ago(59 * time.Minute), Metadata: minute}, train.PhaseFailed, train.CauseDeadline, "deadline"},
		"failed":            {details{Status: statusFailed, Message: "x", ExitCode: new(2)}, train.PhaseFailed, "", "exit status 2"},
		"a status to come":  {details{Status: "DREAMING"}, train.PhasePending, "", "DREAMING"},
	} {
		t.Run(name, func(t *testing.T) {
			st := tc.job.state(now)
			if st.Phase != tc.phase || st.Cause != tc.cause || !strings.Contains(st.Reason, tc.words) || (tc.words == "") != (st.Reason == "") {
				t.Errorf("%+v, want %s, cause %q and %q", st, tc.phase, tc.cause, tc.words)
			}
		})
	}
}

// TestDeadlineOfAJobThatDoesNotStop: one that waits for resources cannot be stopped; its run is over all the same, by the
// clock of Ray.
func TestDeadlineOfAJobThatDoesNotStop(t *testing.T) {
	run, stops := registry.RunID(uuid.New()), 0
	skew := 24 * time.Hour
	age := 59 * time.Second
	var b *Backend
	b = against(t, func(w http.ResponseWriter, r *http.Request) {
		now := time.Now().Add(skew)
		w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
		if strings.HasSuffix(r.URL.Path, "/stop") {
			stops++
			return
		}
		d := details{ID: train.JobName(run, 1), Status: statusPending, Metadata: b.identity(run, 1), Start: now.Add(-age).UnixMilli()}
		d.Metadata[metaDeadline] = "1m0s"
		_ = json.NewEncoder(w).Encode(d)
	})
	for _, step := range []struct {
		age   time.Duration
		phase train.Phase
		stops int
	}{
		{58 * time.Second, train.PhasePending, 0},
		{62 * time.Second, train.PhasePending, 1},
		{2 * time.Minute, train.PhaseFailed, 2},
	} {
		age = step.age
		if st, err := b.Status(t.Context(), run, 1); err != nil || st.Phase != step.phase || stops != step.stops {
			t.Errorf("after %s: %+v, %v, stopped %d times", step.age, st, err, stops)
		}
	}
	if err := b.Cancel(t.Context(), run, 1); !errors.Is(err, train.ErrEnding) {
		t.Errorf("cancel: %v", err)
	}
}
