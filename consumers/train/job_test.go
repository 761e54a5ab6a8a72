package train_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/consumers/train/backendtest"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

func TestJobDocument(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := make(chan train.Job, 1)
		w := newWorld(t, func(*world) backendtest.Program {
			return func(ctx context.Context, j train.Job, _ io.Writer) int { got <- j; <-ctx.Done(); return 1 }
		})
		w.start()
		run := w.request("a", func(q map[string]any) { q["compute_resource"] = "GPU" })
		j := <-got
		if j.Run != run.ID || j.Attempt != 1 || j.ComputeClass != "GPU" || j.Deadline != time.Hour {
			t.Errorf("job %+v", j)
		}
		if len(j.Files) != 2 || j.Files["workflow/delay.py"] != "class FlightDelay: pass\n" || j.Files["workflow/more.py"] != "x = 1\n" {
			t.Errorf("files %q", j.Files)
		}
		var doc map[string]any
		if err := json.Unmarshal(j.Spec, &doc); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]any{
			"version": 1.0, "run_id": run.ID.String(), "attempt": 1.0, "model": "flight-delay", "seed": 7.0, "workflow_dir": "workflow",
			"api": "http://control.test", "token": "token:" + run.ID.String() + "/1", "cache_dir": "cache",
		} {
			if doc[name] != want {
				t.Errorf("%s = %v, want %v", name, doc[name], want)
			}
		}
		if doc["request"].(map[string]any)["unknown"] == nil {
			t.Error("an unknown member of the request was dropped")
		}
		flow := doc["workflow"].(map[string]any)
		if flow["entrypoint"] != "delay:FlightDelay" || flow["digest"] != run.Workflow.String() {
			t.Errorf("workflow %v", flow)
		}
		in := doc["inputs"].([]any)[0].(map[string]any)
		part := in["parts"].([]any)[0].(map[string]any)
		if in["digest"] != w.dataset.ID.String() || in["label"] != "late" || len(in["columns"].([]any)) != 2 ||
			part["digest"] != cas.Sum([]byte("part")).String() || part["get"].(map[string]any)["url"] != "signed:datasets/flights/p/part-0.parquet" {
			t.Errorf("input %v", in)
		}
	})
}

func TestJobReadsPaths(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := make(chan train.Job, 4)
		w := newWorld(t, func(*world) backendtest.Program {
			return func(ctx context.Context, j train.Job, _ io.Writer) int { got <- j; <-ctx.Done(); return 1 }
		})
		for _, key := range []string{"data/one.parq", "data/many/a.parquet", "data/many/b.parquet", "data/many/_SUCCESS", "data/manyother"} {
			put(t, w.bucket, key, "content of "+key)
		}
		w.start()
		for path, want := range map[string]int{"data/one.parq": 1, "data/many": 2, "data/many/": 2} {
			w.request(path, func(q map[string]any) {
				q["data"] = map[string]any{"features": []any{map[string]any{"path": "s3://signalbox/" + path, "names": []string{"delay"}}}}
			})
			j := <-got
			var doc struct {
				Inputs []struct {
					Parts []struct {
						Digest cas.Digest `json:"digest"`
						Get    bucket.Signed
					} `json:"parts"`
				} `json:"inputs"`
			}
			if err := json.Unmarshal(j.Spec, &doc); err != nil {
				t.Fatal(err)
			}
			parts := doc.Inputs[0].Parts
			if len(parts) != want {
				t.Fatalf("%s: parts %+v, want %d", path, parts, want)
			}
			for _, p := range parts {
				if key := strings.TrimPrefix(p.Get.URL, "signed:"); p.Digest != cas.Sum([]byte("content of "+key)) {
					t.Errorf("%s: digest of %s is not the one of its content", path, key)
				}
			}
			if err := w.backend.Cancel(t.Context(), j.Run, 1); err != nil {
				t.Fatal(err)
			}
			if _, err := w.reg.CancelRun(t.Context(), j.Run, "test"); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func put(t *testing.T, b bucket.Bucket, key, content string) {
	t.Helper()
	if _, err := b.Put(t.Context(), key, strings.NewReader(content), int64(len(content)), bucket.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestRunWithoutAJobFailsAtOnce(t *testing.T) {
	features := func(f map[string]any) func(map[string]any) {
		return func(q map[string]any) { q["data"] = map[string]any{"features": []any{f}} }
	}
	for name, change := range map[string]func(map[string]any){
		"no data":       func(q map[string]any) { delete(q, "data") },
		"absent object": features(map[string]any{"path": "s3://signalbox/data/absent.parq"}),
		"other bucket":  features(map[string]any{"path": "s3://other/data/one.parq"}),
		"other prefix":  features(map[string]any{"path": "s3://signalbox/runs/secret"}),
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, completes(0))
			w.start()
			run := w.run(w.request(name, change).ID, 3*time.Second)
			w.want(run, registry.RunFailed, 1)
			if run.Exception.Type != train.ExceptionInvalid || run.Exception.Retryable {
				t.Errorf("%s: exception %+v", name, run.Exception)
			}
		})
	}
}

func TestTroubleBeforeTheJobIsRiddenOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, completes(1))
		w.signer.fail(errors.New("no credentials for a moment"))
		w.start()
		run := w.request("a")
		w.want(w.run(run.ID, 30*time.Second), registry.RunQueued, 1)
		w.signer.fail(nil)
		w.want(w.run(run.ID, 5*time.Second), registry.RunComplete, 1)
	})
}

// spreading is a backend whose jobs may have several workers.
type spreading struct{ train.Backend }

func (spreading) MaxWorkers() int { return 3 }

func TestWorkers(t *testing.T) {
	for body, want := range map[string]int{
		`{}`: 1, `{"compute_resource":"GPU"}`: 1, `{"compute_resource":{"compute_resource":"GPU"}}`: 1, `nonsense`: 1,
		`{"compute_resource":{"compute_resource":"GPU","workers":4}}`: 4, `{"compute_resource":{"workers":null}}`: 1,
	} {
		if got := train.Workers(json.RawMessage(body)); got != want {
			t.Errorf("%s has %d workers, want %d", body, got, want)
		}
	}
	ask := func(workers int) func(map[string]any) {
		return func(q map[string]any) {
			q["compute_resource"] = map[string]any{"compute_resource": "CPU", "workers": workers}
		}
	}
	for _, tc := range []struct {
		workers, max int
		state        registry.RunState
	}{{1, 1, registry.RunComplete}, {3, 3, registry.RunComplete}, {4, 3, registry.RunFailed}, {2, 1, registry.RunFailed}} {
		synctest.Test(t, func(t *testing.T) {
			got := make(chan train.Job, 1)
			complete := completes(0)
			w := newWorld(t, func(w *world) backendtest.Program {
				program := complete(w)
				return func(ctx context.Context, j train.Job, out io.Writer) int { got <- j; return program(ctx, j, out) }
			})
			w.start(func(c *train.Config) {
				if tc.max > 1 {
					c.Classes = []train.Class{{Name: "CPU", Backend: spreading{w.backend}}}
				}
			})
			run := w.run(w.request("a", ask(tc.workers)).ID, 5*time.Second)
			w.want(run, tc.state, 1)
			if tc.state == registry.RunFailed {
				if run.Exception.Type != train.ExceptionInvalid || !strings.Contains(run.Exception.Message, "/compute_resource/workers") {
					t.Errorf("%d workers of %d: exception %+v", tc.workers, tc.max, run.Exception)
				}
				return
			}
			j := <-got
			var doc struct{ Workers int }
			if err := json.Unmarshal(j.Spec, &doc); err != nil || doc.Workers != tc.workers || j.Workers != tc.workers {
				t.Errorf("job has %d workers, its document %d, %v, want %d", j.Workers, doc.Workers, err, tc.workers)
			}
		})
	}
}
