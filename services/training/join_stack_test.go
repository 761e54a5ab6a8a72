package training_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/services/inference/runtime/trees"
)

// collectiveSource trains with XGBoost on all workers, each with its share of the rows, and says what each one has got.
const collectiveSource = `
import hashlib, os, signal, time
import xgboost as xgb
from signalbox import Workflow

class Flow(Workflow):
    def train(self, training_dataframe, holdout_dataframe):
        d = self.distributed
        mine = training_dataframe.iloc[d.shard(len(training_dataframe))]
        print(f"rank {d.rank} of {d.world_size} has {len(mine)} of {len(training_dataframe)} rows")
        if d.rank == 0:
            print("training on", len(training_dataframe), "rows")
        DIE
        for turn in range(2):  # a collective can be had again
            with d.xgboost():
                data = xgb.DMatrix(mine[self.classifier_features], mine[self.classifier_label].astype(float), enable_categorical=True)
                params = {"objective": "binary:logistic", "tree_method": "hist", "max_depth": 3, "seed": self.seed, "nthread": 1}
                model = xgb.train(params, data, num_boost_round=5)
        print(f"rank {d.rank} made {hashlib.sha256(bytes(model.save_raw('ubj'))).hexdigest()}")
        return model
`

// frameworks is environment with what tests add to it.
func frameworks(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(trainer, "setup-env.sh"), "--with-tests")
	cmd.Stderr = t.Output()
	if err := cmd.Run(); err != nil {
		t.Fatalf("python environment: %v", err)
	}
}

// TestWorkers trains with two processes at once: the request, the rendezvous at the control plane, one package.
func TestWorkers(t *testing.T) {
	frameworks(t)
	s := newStack(t)
	s.data(environment(t))
	source := func(die string) string { return strings.Replace(collectiveSource, "DIE", die, 1) }
	s.declare("collective", source("pass"))
	s.declare("mortal", source(`if os.getcwd().endswith("/1/ranks/1"): os.kill(os.getpid(), signal.SIGKILL)`))
	s.declare("torn", source(`if d.rank == 1 and "/1/ranks" in os.getcwd(): raise SystemExit("no more")`))
	s.declare("broken", source(`if d.rank == 0: raise ValueError("boom")
        time.sleep(600)`))

	t.Run("OneModelOfAllRows", func(t *testing.T) {
		run := s.trainWith("collective", `{"dataset":"flights@latest"}`, `{"compute_resource":"CPU","workers":2}`)
		s.wantComplete(run, 1)
		log := s.log(run)
		made := regexp.MustCompile(`rank ([01]) made ([0-9a-f]{64})`).FindAllStringSubmatch(log, -1)
		if len(made) != 2 || made[0][1] == made[1][1] || made[0][2] != made[1][2] {
			t.Errorf("workers made %q, want the same of both:\n%s", made, log)
		}
		rows := regexp.MustCompile(`rank [01] of 2 has (\d+) of (\d+) rows`).FindAllStringSubmatch(log, -1)
		if len(rows) != 2 || rows[0][1] == rows[0][2] {
			t.Errorf("workers had %q, want half of the rows each:\n%s", rows, log)
		}
		s.wantServed(run, trees.Runtime{}, "xgboost-json")
		s.wantRecords(run)
		again := s.trainWith("collective", `{"dataset":"flights@latest"}`, `{"compute_resource":"CPU","workers":2}`)
		s.wantComplete(again, 1)
		if again.Package != run.Package {
			t.Errorf("packages %s and %s of the same rows, code, parameters and workers", run.Package, again.Package)
		}
	})
	t.Run("OneAlone", func(t *testing.T) {
		run := s.trainWith("collective", `{"dataset":"flights@latest"}`, `"CPU"`)
		s.wantComplete(run, 1)
		if log := s.log(run); !strings.Contains(log, "rank 0 of 1 has") {
			t.Errorf("log:\n%s", log)
		}
	})
	t.Run("AWorkerThatDiesEndsTheAttempt", func(t *testing.T) {
		for _, workflow := range []string{"mortal", "torn"} {
			run := s.trainWith(workflow, `{"dataset":"flights@latest"}`, `{"compute_resource":"CPU","workers":2}`)
			s.wantComplete(run, 2)
			if why := run.History[slices.IndexFunc(run.History, func(x registry.Transition) bool { return x.Attempt == 2 })].Reason; !strings.Contains(why, "rank 1: ") {
				t.Errorf("%s: retried because of %q, want rank 1 named", workflow, why)
			}
		}
	})
	t.Run("RanksAboveZeroDoNotOutliveTheRun", func(t *testing.T) {
		run := s.trainWith("broken", `{"dataset":"flights@latest"}`, `{"compute_resource":"CPU","workers":2}`)
		if run.State != registry.RunFailed || run.Attempt != 1 || run.Exception.Type != "ValueError" || run.Exception.Retryable {
			t.Errorf("run %s at attempt %d with %+v", run.State, run.Attempt, run.Exception)
		}
	})
	t.Run("MoreThanTheClassHas", func(t *testing.T) {
		run := s.trainWith("collective", `{"dataset":"flights@latest"}`, `{"compute_resource":"CPU","workers":100}`)
		if run.State != registry.RunFailed || run.Attempt != 1 || !strings.Contains(run.Exception.Message, "/compute_resource/workers") {
			t.Errorf("run %s at attempt %d with %+v", run.State, run.Attempt, run.Exception)
		}
	})
}

// log is the whole log of a run that is over: the machine puts it once it has seen the end.
func (s *stack) log(run registry.Run) string {
	s.t.Helper()
	timeout, tick := time.After(time.Minute), time.NewTicker(50*time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := s.bucket.Stat(s.t.Context(), registry.ArtifactKey(run.ID, run.Attempt, registry.ArtifactLogs)); err == nil {
			var text string
			s.call("GET", "/v1/runs/"+run.ID.String()+"/logs", "", &text)
			return text
		}
		select {
		case <-tick.C:
		case <-timeout:
			s.t.Fatalf("the log of run %s was never put", run.ID)
		}
	}
}
