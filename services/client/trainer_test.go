package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// tree is a model of one split, and what it answers at 20 minutes: 1 / (1 + 1/e).
const (
	tree = "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=0\nobjective=binary sigmoid:1\n" +
		"feature_names=delay\nfeature_infos=[-10:100]\n\nTree=0\nnum_leaves=2\nnum_cat=0\nsplit_feature=0\nsplit_gain=1\nthreshold=15\n" +
		"decision_type=2\nleft_child=-1\nright_child=-2\nleaf_value=-1 1\nleaf_weight=1 1\nleaf_count=1 1\ninternal_value=0\n" +
		"internal_weight=2\ninternal_count=2\nis_linear=0\nshrinkage=1\n\n\nend of trees\n"
	golden = `{"input":{"delay":20},"output":{"late":0.7310585786300049}}` + "\n"
	late   = 0.7310585786300049
)

// trains makes each look at a run take it one step on, so that whoever waits for it sees every state: a trainer without
// a clock. At the end it tags what the run left.
func (w *world) trains() {
	w.wire.mu.Lock()
	defer w.wire.mu.Unlock()
	w.wire.before = func(r *http.Request) {
		text, ok := strings.CutPrefix(r.URL.Path, "/v1/runs/")
		id, err := registry.ParseRunID(text)
		if ok && err == nil && r.Method == http.MethodGet {
			if err := w.advance(id); err != nil {
				r.Header.Set("Authorization", "Bearer "+err.Error()) // so that it is not overlooked
			}
		}
	}
}

func (w *world) advance(id registry.RunID) error {
	ctx := context.Background()
	run, err := w.reg.Run(ctx, id)
	if err != nil {
		return err
	}
	switch run.State {
	case registry.RunRequested:
		_, err = w.reg.QueueRun(ctx, id, "CPU")
	case registry.RunQueued:
		_, err = w.reg.StartRun(ctx, id, 1, nil)
	case registry.RunRunning:
		err = w.complete(id)
	}
	return err
}

// complete ends a run with a package, and moves the tag to it.
func (w *world) complete(id registry.RunID) error {
	ctx := context.Background()
	pkg, err := w.publish(id)
	if err != nil {
		return err
	}
	if err := w.leave(registry.ArtifactKey(id, 1, "metrics.json"), `{"metrics":{"gain_delay":1.5,"note":"fine"},"process":{"cpu_seconds":2.5,"peak_memory_bytes":99}}`); err != nil {
		return err
	}
	if err := w.leave(registry.AttemptPrefix(id, 1)+"series.d/00000000", `{"name":"auc","value":0.5,"step":1,"at":"2026-11-23T14:00:00Z"}`+"\n"); err != nil {
		return err
	}
	if _, err := w.reg.CompleteRun(ctx, id, 1, pkg, map[string]string{"metrics.json": registry.ArtifactKey(id, 1, "metrics.json")}); err != nil {
		return err
	}
	tag := registry.Tag{Model: "flight-delay", Name: "production"}
	_, err = w.reg.Promote(ctx, registry.TagMove{Tag: tag, Arms: []registry.Arm{{Package: pkg, Weight: 10000}}, Actor: "test", Reason: "the first"})
	return err
}

// publish publishes the model as the package of a run.
func (w *world) publish(run registry.RunID) (cas.Digest, error) {
	ctx := context.Background()
	signature, err := json.Marshal(manifest.Signature{
		Runtime: manifest.RuntimeTrees, Format: manifest.FormatLightGBM, Model: "model.txt", Golden: "golden.jsonl", Tolerance: 1e-9,
		Inputs: []manifest.Column{{Name: "delay", Type: manifest.Number}}, Outputs: []manifest.Column{{Name: "late", Type: manifest.Number}},
	})
	if err != nil {
		return cas.Digest{}, err
	}
	store := cas.NewStore(w.bucket)
	var m manifest.Package
	for path, content := range map[string]string{"model.txt": tree, "golden.jsonl": golden, manifest.SignatureFile: string(signature)} {
		d, err := store.Push(ctx, manifest.MediaWeight, []byte(content))
		if err != nil {
			return cas.Digest{}, err
		}
		m.Layers = append(m.Layers, manifest.Layer{Path: path, Descriptor: d})
	}
	config, err := manifest.EncodeConfig(manifest.FormatLightGBM, m.Layers)
	if err != nil {
		return cas.Digest{}, err
	}
	if m.Config, err = store.Push(ctx, manifest.MediaConfig, config); err != nil {
		return cas.Digest{}, err
	}
	b, err := m.Encode()
	if err != nil {
		return cas.Digest{}, err
	}
	_, _, err = w.reg.PublishPackage(ctx, cas.Sum(b), b, "flight-delay", run)
	return cas.Sum(b), err
}

// begin takes a run to its next attempt, and fail ends one.
func (w *world) begin(id registry.RunID, attempt int) error {
	ctx := context.Background()
	var err error
	if attempt == 1 {
		_, err = w.reg.QueueRun(ctx, id, "CPU")
	} else {
		_, err = w.reg.RetryRun(ctx, id, attempt-1, "", "the node went away")
	}
	if err != nil {
		return err
	}
	_, err = w.reg.StartRun(ctx, id, attempt, nil)
	return err
}

func (w *world) fail(id registry.RunID, attempt int) error {
	_, err := w.reg.FailRun(context.Background(), id, attempt, events.Exception{Type: "ValueError", Message: "no rows\nat all", Step: "fetch"}, nil)
	return err
}

// log adds a chunk to the log of an attempt.
func (w *world) log(id registry.RunID, attempt, chunk int, text string) error {
	return w.leave(fmt.Sprintf("%s%s/%08d", registry.AttemptPrefix(id, attempt), registry.LogDir, chunk), text)
}

// logged says that the log of an attempt is whole.
func (w *world) logged(id registry.RunID, attempt int, text string) error {
	return w.leave(registry.ArtifactKey(id, attempt, registry.ArtifactLogs), text)
}

func (w *world) leave(key, text string) error {
	_, err := w.bucket.Put(context.Background(), key, strings.NewReader(text), int64(len(text)), bucket.PutOptions{})
	return err
}
