package training_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/tune"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
)

// A workflow whose figure is known: what the search must find is the largest number of leaves that is not above 20.
const searchedSource = `
import lightgbm as lgb
from signalbox import Workflow

class Flow(Workflow):
    def train(self, training_dataframe, holdout_dataframe):
        leaves = self.custom_params["num_leaves"]
        for step in range(1, 4):
            self.log_metric("fit", leaves * step if leaves <= 20 else -leaves, step=step)
        data = lgb.Dataset(training_dataframe[self.classifier_features], training_dataframe[self.classifier_label])
        return lgb.train({"objective": "binary", **self.lightgbm_params, "num_leaves": leaves}, data, 5)
`

// create posts what is answered by 201.
func (s *stack) create(path, body string, v any) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(v); err != nil || answer.StatusCode != http.StatusCreated {
		s.t.Fatalf("POST %s: %s, %v", path, answer.Status, err)
	}
}

// TestSweepOfRealJobs: trials are Python processes, told by the search, and the best one's package is announced.
func TestSweepOfRealJobs(t *testing.T) {
	s := newStack(t)
	s.data(environment(t))
	s.declare("searched", searchedSource)
	w, err := tune.New(tune.Config{Sweeps: s.reg, Runs: s.reg, Bucket: s.bucket, Poll: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	body := `{"request":{"model_name":"flight-delay","owner":"tests","data":{"features":[{"dataset":"flights@latest"}],"date_column":"event_time",
		"holdout_sampling":{"sampling_function":"DATE_RANGE","date_range_sampling":{"last":"4d"}}},
		"train":{"workflow_name":"searched","classifier_features":["carrier","distance","departure_delay"],"label":"late","custom_params":{"seed":3}}},
		"search":{"metric":"fit","goal":"maximize","trials":4,"parallel":2,"seed":1,"parameters":{"num_leaves":{"type":"integer","min":4,"max":30}}}}`
	var sweep registry.Sweep
	s.create("/v1/sweeps", body, &sweep)
	timeout, tick := time.After(3*time.Minute), time.NewTicker(100*time.Millisecond)
	defer tick.Stop()
	var now struct {
		registry.Sweep
		Trials []struct {
			Run    registry.RunID
			State  registry.RunState
			Value  *float64
			Params struct {
				Leaves int `json:"num_leaves"`
			}
		}
	}
	for now.State == "" || now.State == registry.SweepRunning {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("still %s: %+v", now.State, now.Trials)
		}
		s.call("GET", "/v1/sweeps/"+sweep.ID.String(), "", &now)
	}
	if now.State != registry.SweepComplete || len(now.Trials) != 4 {
		t.Fatalf("%s: %s; %+v", now.State, now.Reason, now.Trials)
	}
	best, most := registry.RunID{}, -1
	for i, trial := range now.Trials {
		leaves := trial.Params.Leaves
		if string(sweep.Search.Draw(i + 1)["num_leaves"]) != fmt.Sprint(leaves) || trial.State != registry.RunComplete {
			t.Errorf("trial %d: %+v", i+1, trial)
		}
		fit := leaves * 3
		if leaves > 20 {
			fit = -leaves
		}
		if trial.Value == nil || *trial.Value != float64(fit) {
			t.Errorf("trial %d of %d leaves has the value %v, want %d", i+1, leaves, trial.Value, fit)
		}
		if fit > most {
			best, most = trial.Run, fit
		}
	}
	if now.Best != best {
		t.Errorf("best is %s, want %s: %+v", now.Best, best, now.Trials)
	}
	var announced []string
	evs, err := s.catalog.PendingEvents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, ev := range evs {
		if ev.Type() == events.TypePackagePublished {
			announced = append(announced, ev.ID())
		}
	}
	if strings.Join(announced, " ") != best.String()+"/published" {
		t.Errorf("announced %q", announced)
	}
}
