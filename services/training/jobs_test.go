package training_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/services/inference/runtime"
	"github.com/signalbox-ml/signalbox/services/inference/runtime/pyworker"
	"github.com/signalbox-ml/signalbox/services/inference/runtime/trees"
)

const boosterSource = `
import os, signal
import lightgbm as lgb
from signalbox import Workflow

class Flow(Workflow):
    def train(self, training_dataframe, holdout_dataframe):
        print("training on", len(training_dataframe), "rows")
        DIE
        data = lgb.Dataset(training_dataframe[self.classifier_features], training_dataframe[self.classifier_label])
        return lgb.train({"objective": "binary", **self.lightgbm_params, **self.custom_params}, data, 20)
`

const ownSource = `
import numpy as np
from signalbox import Workflow

class Shares:
    def __init__(self, shares, rest):
        self.shares, self.rest = shares, rest

class Flow(Workflow):
    categorical_features = ["origin"]  # carrier stays text

    def preprocess(self, dataframe):
        return dataframe.assign(far=dataframe["distance"] > 1000)

    def train(self, training_dataframe, holdout_dataframe):
        groups = training_dataframe.groupby(["carrier", "origin", "far"], observed=True)["late"].mean()
        return Shares(dict(groups), float(training_dataframe["late"].mean()))

    def score(self, model, dataframe):
        keys = zip(dataframe["carrier"], dataframe["origin"], dataframe["far"])
        return np.array([model.shares.get(key, model.rest) for key in keys])
`

// TestTraining runs real jobs: the request, a Python process, and what it leaves.
func TestTraining(t *testing.T) {
	s := newStack(t)
	s.data(environment(t))
	s.declare("plain", strings.Replace(boosterSource, "DIE", "pass", 1))
	s.declare("mortal", strings.Replace(boosterSource, "DIE", `if os.getcwd().endswith("/1"): os.kill(os.getpid(), signal.SIGKILL)`, 1))
	s.declare("own", ownSource)
	s.declare("broken", strings.Replace(boosterSource, "DIE", `raise ValueError("boom")`, 1))

	first := s.train("plain", `{"dataset":"flights@latest"}`)
	s.wantComplete(first, 1)
	sig := s.wantServed(first, trees.Runtime{}, manifest.FormatLightGBM)
	if c := sig.Inputs[0]; c.Name != "carrier" || strings.Join(c.Categories, " ") != "AA B6 DL UA Zürich" || sig.Outputs[0].Name != "probability" {
		t.Errorf("signature %+v", sig)
	}
	s.wantRecords(first)

	t.Run("SamePackageFromTheSamePath", func(t *testing.T) {
		again := s.train("plain", `{"path":"s3://test/data/flights.parquet"}`)
		s.wantComplete(again, 1)
		if again.Package != first.Package {
			t.Errorf("packages %s and %s of the same rows, code and parameters", first.Package, again.Package)
		}
	})
	t.Run("KilledJobIsTriedAgain", func(t *testing.T) {
		run := s.train("mortal", `{"dataset":"flights@latest"}`)
		s.wantComplete(run, 2)
		if run.Package != first.Package {
			t.Errorf("the second attempt made %s, want %s: code is no part of a tree package", run.Package, first.Package)
		}
	})
	t.Run("AnyOtherModelIsServedByPython", func(t *testing.T) {
		run := s.train("own", `{"dataset":"flights@latest"}`)
		s.wantComplete(run, 1)
		src, err := filepath.Abs(filepath.Join(trainer, "src"))
		if err != nil {
			t.Fatal(err)
		}
		engine, err := pyworker.New(pyworker.Config{Python: environment(t), Env: []string{"PYTHONPATH=" + src}})
		if err != nil {
			t.Fatal(err)
		}
		s.wantServed(run, engine, manifest.FormatPickle)
	})
	t.Run("BrokenWorkflow", func(t *testing.T) {
		run := s.train("broken", `{"dataset":"flights@latest"}`)
		if run.State != registry.RunFailed || run.Attempt != 1 || run.Exception.Type != "ValueError" || run.Exception.Step != "train" ||
			!strings.HasPrefix(run.Exception.Message, "boom\n") {
			t.Errorf("run %s at attempt %d with %+v", run.State, run.Attempt, run.Exception)
		}
	})
}

func (s *stack) wantComplete(run registry.Run, attempt int) {
	s.t.Helper()
	if run.State != registry.RunComplete || run.Attempt != attempt || run.Package.IsZero() {
		var log string
		s.call("GET", "/v1/runs/"+run.ID.String()+"/logs", "", &log)
		s.t.Fatalf("run %s at attempt %d, exception %+v, log:\n%s", run.State, run.Attempt, run.Exception, log)
	}
}

// wantServed checks that an engine answers the package's golden rows as Python did when it trained.
func (s *stack) wantServed(run registry.Run, engine runtime.Runtime, format string) manifest.Signature {
	s.t.Helper()
	ctx := s.t.Context()
	sig, err := s.reg.Signature(ctx, run.Package)
	if err != nil {
		s.t.Fatal(err)
	}
	if sig.Format != format {
		s.t.Errorf("format %s, want %s", sig.Format, format)
	}
	dir := s.unpack(run.Package)
	model, err := engine.Load(ctx, dir, sig)
	if err != nil {
		s.t.Fatal(err)
	}
	golden, err := os.Open(filepath.Join(dir, sig.Golden))
	if err != nil {
		s.t.Fatal(err)
	}
	if err := errors.Join(runtime.CheckGolden(ctx, model, sig, golden), golden.Close(), model.Close()); err != nil {
		s.t.Error(err)
	}
	return sig
}

// unpack writes the files of a package to a folder.
func (s *stack) unpack(id cas.Digest) string {
	s.t.Helper()
	p, err := s.reg.Package(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	m, err := manifest.DecodePackage(p.Manifest)
	if err != nil {
		s.t.Fatal(err)
	}
	dir, store := s.t.TempDir(), cas.NewStore(s.bucket)
	for _, layer := range m.Layers {
		b, err := store.Fetch(s.t.Context(), layer.Descriptor)
		if err != nil {
			s.t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.FromSlash(layer.Path))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, b, 0o644)); err != nil {
			s.t.Fatal(err)
		}
	}
	return dir
}

// wantRecords checks what a person can look up afterwards.
func (s *stack) wantRecords(run registry.Run) {
	s.t.Helper()
	base := "/v1/runs/" + run.ID.String()
	for _, name := range []string{"scores.tsv", "labels.tsv", "holdout.jsonl", "metrics.json", "environment.lock"} {
		if attrs, err := s.bucket.Stat(s.t.Context(), run.Artifacts[name]); err != nil || attrs.Size == 0 {
			s.t.Errorf("artifact %s: %+v, %v", name, attrs, err)
		}
	}
	var figures struct {
		Steps []struct {
			Step    string
			Seconds float64
			Metrics map[string]float64
		}
	}
	s.call("GET", base+"/metrics", "", &figures)
	var names []string
	for _, st := range figures.Steps {
		names = append(names, st.Step)
		if auc := st.Metrics["holdout_auc"]; st.Step == "score" && auc < 0.8 {
			s.t.Errorf("holdout_auc = %v", auc)
		}
	}
	if got, want := strings.Join(names, " "), strings.Join(train.Steps(), " "); got != want {
		s.t.Errorf("steps %q, want %q", got, want)
	}
	// The whole log is put a moment after the run has ended.
	key := registry.ArtifactKey(run.ID, 1, registry.ArtifactLogs)
	timeout, tick := time.After(30*time.Second), time.NewTicker(50*time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := s.bucket.Stat(s.t.Context(), key); err == nil {
			break
		}
		select {
		case <-tick.C:
		case <-timeout:
			s.t.Fatal("the log never came")
		}
	}
	var log string
	s.call("GET", base+"/logs", "", &log)
	if !strings.Contains(log, "training on 3424 rows") || !strings.Contains(log, "run complete: package "+run.Package.String()) {
		s.t.Errorf("log:\n%s", log)
	}
	if strings.Contains(log, "sbx_run_") {
		s.t.Error("the log holds a token")
	}
}
