package evaluate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/evaluate"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/membucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/registrytest"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

const declared = `apiVersion: signalbox.dev/v1
kind: Workflow
metadata: {name: delay}
spec: {entrypoint: "delay:Delay", files: {delay.py: {content: "class Delay: pass"}}}
---
apiVersion: signalbox.dev/v1
kind: Model
metadata: {name: delay}
spec:
  owner: ops
  project: demo
  train: {workflow_name: delay, classifier_features: [a], label: y}
  evaluation: {tag: production, metric: auc, minRows: 4, slices: [a]}
`

type noSigner struct{}

func (noSigner) SignGet(context.Context, string, time.Duration) (bucket.Signed, error) {
	return bucket.Signed{}, errors.ErrUnsupported
}

func (noSigner) SignPut(context.Context, string, [32]byte, int64, time.Duration) (bucket.Signed, error) {
	return bucket.Signed{}, errors.ErrUnsupported
}

// engine answers with what a test says a package computes. before runs ahead of each answer.
type engine struct {
	scores map[cas.Digest][]float64
	err    error
	before func()
}

func (e *engine) Score(_ context.Context, pkg cas.Digest, _ [][]byte, _ string) ([]float64, float64, error) {
	if e.before != nil {
		e.before()
	}
	return e.scores[pkg], 1e-9, e.err
}

type bench struct {
	*registry.Registry
	catalog *registrytest.Memory
	bucket  *membucket.Bucket
	store   *cas.Store
	engine  *engine
	handler *evaluate.Evaluator
}

func newBench(t *testing.T) bench {
	t.Helper()
	b := bench{catalog: registrytest.NewMemory(), bucket: membucket.New(), engine: &engine{scores: map[cas.Digest][]float64{}}}
	b.store = cas.NewStore(b.bucket)
	var err error
	if b.Registry, err = registry.New(registry.Config{Catalog: b.catalog, Store: b.store, Signer: noSigner{}}); err != nil {
		t.Fatal(err)
	}
	docs, err := spec.Parse([]byte(declared))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Apply(t.Context(), docs, false); err != nil {
		t.Fatal(err)
	}
	b.handler, err = evaluate.New(evaluate.Config{Catalog: b.catalog, Registry: b.Registry, Bucket: b.bucket, Scorer: b.engine})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// train ends a run whose package computes scores, and returns the event that announces it. Rows 2 and 3 are true.
func (b bench) train(t *testing.T, name string, scores []float64) events.Event {
	t.Helper()
	return b.trainModel(t, "delay", name, scores)
}

func (b bench) trainModel(t *testing.T, model registry.ModelName, name string, scores []float64) events.Event {
	t.Helper()
	ctx := t.Context()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	run, _, err := b.RequestRun(ctx, registry.RunRequest{Nonce: name, Request: json.RawMessage(
		`{"model_name":"` + string(model) + `","train":{"workflow_name":"delay","classifier_features":["a"],"label":"y"}}`)})
	check(err)
	_, err = b.QueueRun(ctx, run.ID, "CPU")
	check(err)
	sig, err := json.Marshal(manifest.Signature{Runtime: manifest.RuntimeTrees, Format: manifest.FormatLightGBM, Model: "model.txt",
		Golden: "golden.jsonl", Inputs: []manifest.Column{{Name: "a", Type: manifest.Number}}, Outputs: []manifest.Column{{Name: "p", Type: manifest.Number}}})
	check(err)
	var p manifest.Package
	for path, text := range map[string]string{"model.txt": name, "golden.jsonl": "{}", "signature.json": string(sig)} {
		d, err := b.store.Push(ctx, manifest.MediaWeight, []byte(text))
		check(err)
		p.Layers = append(p.Layers, manifest.Layer{Path: path, Descriptor: d})
	}
	config, err := manifest.EncodeConfig(manifest.FormatLightGBM, p.Layers)
	check(err)
	p.Config, err = b.store.Push(ctx, manifest.MediaConfig, config)
	check(err)
	m, err := p.Encode()
	check(err)
	_, _, err = b.PublishPackage(ctx, cas.Sum(m), m, model, run.ID)
	check(err)
	b.engine.scores[cas.Sum(m)] = scores

	table := "row\tscore\n"
	for i, s := range scores {
		table += fmt.Sprintf("%d\t%v\n", i, s)
	}
	artifacts := map[string]string{}
	for file, text := range map[string]string{"scores.tsv": table, "labels.tsv": "row\tlabel\n0\t0\n1\t0\n2\t1\n3\t1\n",
		"holdout.jsonl": strings.Repeat("{\"a\":1}\n", 4)} {
		artifacts[file] = registry.ArtifactKey(run.ID, 1, file)
		_, err := b.bucket.Put(ctx, artifacts[file], bytes.NewReader([]byte(text)), int64(len(text)), bucket.PutOptions{CreateOnly: true})
		check(err)
	}
	_, err = b.CompleteRun(ctx, run.ID, 1, cas.Sum(m), artifacts)
	check(err)
	evs, err := b.catalog.PendingEvents(ctx)
	check(err)
	return evs[len(evs)-2] // package.published, before run.succeeded
}

func (b bench) handle(t *testing.T, ev events.Event) {
	t.Helper()
	if err := b.handler.Handle(t.Context(), ev); err != nil {
		t.Fatal(err)
	}
}

// stands fails unless the tag is at a generation and points at the package of ev.
func (b bench) stands(t *testing.T, generation int64, ev events.Event) registry.TagState {
	t.Helper()
	s, err := b.Resolve(t.Context(), registry.Tag{Model: "delay", Name: "production"})
	if err != nil || s.Generation != generation || s.Arms[0].Package.String() != ev.Subject() {
		t.Fatalf("tag = %+v, %v, want generation %d at %s", s, err, generation, ev.Subject())
	}
	return s
}

// decisions returns what every evaluation of ev's package decided.
func (b bench) decisions(t *testing.T, ev events.Event) []string {
	t.Helper()
	id, err := cas.Parse(ev.Subject())
	if err != nil {
		t.Fatal(err)
	}
	all, err := b.Evaluations(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range all {
		out = append(out, e.Decision+": "+strings.Join(e.Reasons, "; "))
	}
	return out
}

func TestEvaluatePromotesAndKeeps(t *testing.T) {
	b := newBench(t)
	first := b.train(t, "first", []float64{0.1, 0.6, 0.5, 0.9})
	b.handle(t, first)
	s := b.stands(t, 1, first)
	if all := b.decisions(t, first); len(all) != 1 || s.Evidence.IsZero() {
		t.Errorf("evaluations = %q, evidence %s", all, s.Evidence)
	}
	worse := b.train(t, "worse", []float64{0.9, 0.8, 0.2, 0.1})
	b.handle(t, worse)
	b.stands(t, 1, first)
	better := b.train(t, "better", []float64{0.1, 0.2, 0.8, 0.9})
	for range 3 { // delivered again and again
		b.handle(t, better)
	}
	b.stands(t, 2, better)
	if all := b.decisions(t, better); len(all) != 1 || !strings.HasPrefix(all[0], "promote") {
		t.Errorf("evaluations = %q", all)
	}
	if all := b.decisions(t, worse); len(all) != 1 || !strings.HasPrefix(all[0], "keep") {
		t.Errorf("evaluations = %q", all)
	}
}

// A package that predicts otherwise than it was trained is kept, however good it looks.
func TestEvaluateMismatch(t *testing.T) {
	b := newBench(t)
	ev := b.train(t, "skewed", []float64{0.1, 0.2, 0.8, 0.9})
	id, err := cas.Parse(ev.Subject())
	if err != nil {
		t.Fatal(err)
	}
	b.engine.scores[id] = []float64{0.1, 0.2, 0.8, 0.95}
	b.handle(t, ev)
	if _, err := b.Resolve(t.Context(), registry.Tag{Model: "delay", Name: "production"}); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("the tag exists: %v", err)
	}
	if all := b.decisions(t, ev); len(all) != 1 || !strings.Contains(all[0], "differs from the training process") {
		t.Errorf("evaluations = %q", all)
	}
}

// Somebody moves the tag while the candidate is scored: it must meet the new champion.
func TestEvaluateRace(t *testing.T) {
	b := newBench(t)
	first := b.train(t, "first", []float64{0.9, 0.8, 0.2, 0.1})
	b.handle(t, first)
	best := b.train(t, "best", []float64{0.1, 0.2, 0.8, 0.9})
	middling := b.train(t, "middling", []float64{0.1, 0.6, 0.5, 0.9})
	calls := 0
	b.engine.before = func() {
		if calls++; calls == 2 { // the champion's turn, after the tag was read
			b.engine.before = nil
			b.handle(t, best)
		}
	}
	b.handle(t, middling)
	b.stands(t, 2, best)
	all := b.decisions(t, middling)
	if len(all) != 2 || !strings.HasPrefix(all[0], "promote") || !strings.HasPrefix(all[1], "keep") {
		t.Errorf("evaluations = %q, want one against each champion", all)
	}
}

// A model on other inputs may win nothing: the champion cannot even be asked.
func TestIncomparableIsNotBetter(t *testing.T) {
	b := newBench(t)
	first := b.train(t, "first", []float64{0.9, 0.8, 0.2, 0.1})
	b.handle(t, first)
	other := b.train(t, "on fewer inputs", []float64{0.1, 0.2, 0.8, 0.9})
	calls := 0
	b.engine.before = func() {
		if calls++; calls == 2 { // the champion's turn
			b.engine.err = fmt.Errorf("%w: missing_feature", evaluate.ErrUnscorable)
		}
	}
	b.handle(t, other)
	b.stands(t, 1, first)
	if all := b.decisions(t, other); len(all) != 1 || !strings.HasPrefix(all[0], "keep: the champion cannot be scored") {
		t.Errorf("evaluations = %q", all)
	}
}

// A model that nobody declared has no policy: whoever asked for the run decides what becomes of the package.
func TestUndeclaredModelIsNotJudged(t *testing.T) {
	b := newBench(t)
	ev := b.trainModel(t, "by-hand", "first", []float64{0.1, 0.2, 0.8, 0.9})
	b.handle(t, ev)
	if got := b.decisions(t, ev); len(got) != 0 {
		t.Errorf("decisions %q", got)
	}
}

func TestEvaluateErrors(t *testing.T) {
	b := newBench(t)
	ev := b.train(t, "first", []float64{0.1, 0.2, 0.8, 0.9})
	b.engine.err = errors.New("engine is starting")
	if err := b.handler.Handle(t.Context(), ev); err == nil || events.PermanentReason(err) != "" {
		t.Errorf("engine away: %v, want an error that is tried again", err)
	}
	b.engine.err = evaluate.ErrUnscorable
	if err := b.handler.Handle(t.Context(), ev); events.PermanentReason(err) != "unscorable" {
		t.Errorf("unscorable: %v, want it permanent", err)
	}
	ev.DataEncoded = []byte("{")
	if err := b.handler.Handle(t.Context(), ev); events.PermanentReason(err) != "malformed" {
		t.Errorf("no JSON: %v, want it permanent", err)
	}
}
