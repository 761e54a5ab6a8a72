package training_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/consumers/train/procbackend"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/gateway/gatewaytest"
	"github.com/signalbox-ml/signalbox/registry/bucket/s3bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/registrytest"
	"github.com/signalbox-ml/signalbox/registry/spec"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
	"github.com/signalbox-ml/signalbox/services/training"
)

func TestMain(m *testing.M) { gatewaytest.Main(m) }

// trainer is where the Python package is.
const trainer = "../trainer"

// stack is the whole of training: the API on a port, an S3 server, the machine, and Python jobs as processes.
type stack struct {
	t       *testing.T
	reg     *registry.Registry
	catalog *registrytest.Memory
	bucket  *s3bucket.Bucket
	url     string
	token   string
}

// minter mints with the API's own key.
type minter struct{ auth *auth.Authenticator }

func (m minter) Mint(run registry.RunID, attempt int) (string, error) {
	return m.auth.MintRun(run.String(), attempt, time.Hour)
}

func newStack(t *testing.T) *stack {
	t.Helper()
	python := environment(t)
	s := &stack{t: t, bucket: gatewaytest.Bucket(t), catalog: registrytest.NewMemory()}
	reg, err := registry.New(registry.Config{Catalog: s.catalog, Store: cas.NewStore(s.bucket), Signer: s.bucket})
	if err != nil {
		t.Fatal(err)
	}
	s.reg = reg
	text, token, err := auth.NewToken("somebody", auth.Trainer)
	if err != nil {
		t.Fatal(err)
	}
	s.token = text
	who, err := auth.New([]auth.Token{token}, []byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	s.url = s.serve(who)
	src, err := filepath.Abs(filepath.Join(trainer, "src"))
	if err != nil {
		t.Fatal(err)
	}
	backend, err := procbackend.New(procbackend.Config{
		Dir: t.TempDir(), Command: []string{python, "-m", "signalbox.runner"}, PythonPath: src,
	})
	if err != nil {
		t.Fatal(err)
	}
	m, err := train.New(train.Config{
		Runs: reg, Inputs: reg, Classes: []train.Class{{Name: train.DefaultClass, Backend: backend}}, Bucket: s.bucket, Signer: s.bucket, Tokens: minter{who}, API: s.url,
		Poll: 50 * time.Millisecond, BucketName: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var g errgroup.Group
	g.Go(func() error { return m.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(g.Wait(), backend.Close()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// environment creates what jobs run on, once for all tests of this machine.
func environment(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(trainer, "setup-env.sh"))
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python environment: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// serve starts the API, with the two calls of the registry's that a job makes.
func (s *stack) serve(who *auth.Authenticator) string {
	s.t.Helper()
	rt, err := httpapi.NewRouter(httpapi.Config{Auth: who})
	if err != nil {
		s.t.Fatal(err)
	}
	srv, err := training.New(training.Config{Runs: s.reg, Reports: s.reg, Declared: s.reg, Bucket: s.bucket, BucketName: "test"})
	if err != nil {
		s.t.Fatal(err)
	}
	srv.Routes(rt)
	rt.Handle("POST /v1/blobs:missing", auth.PackagesPush, s.missing)
	rt.Handle("PUT /v1/packages/{id}", auth.PackagesPush, s.publish)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	server := &http.Server{Handler: rt, ReadHeaderTimeout: 10 * time.Second}
	var g errgroup.Group
	g.Go(func() error { return server.Serve(l) })
	s.t.Cleanup(func() {
		if err := errors.Join(server.Close(), g.Wait()); !errors.Is(err, http.ErrServerClosed) {
			s.t.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}

func (s *stack) missing(w http.ResponseWriter, r *http.Request) error {
	body, err := httpapi.ReadJSON[struct {
		Blobs []cas.Descriptor `json:"blobs"`
	}](r, 1<<20)
	if err != nil {
		return err
	}
	out, err := s.reg.MissingBlobs(r.Context(), body.Blobs)
	if err != nil {
		return err
	}
	return httpapi.JSON(w, http.StatusOK, map[string]any{"blobs": out})
}

func (s *stack) publish(w http.ResponseWriter, r *http.Request) error {
	id, err := cas.Parse(r.PathValue("id"))
	if err != nil {
		return err
	}
	run, err := registry.ParseRunID(r.Header.Get("Signalbox-Run"))
	if err != nil {
		return err
	}
	b, err := httpapi.ReadBody(r, manifest.MaxManifest)
	if err != nil {
		return err
	}
	_, created, err := s.reg.PublishPackage(r.Context(), id, b, registry.ModelName(r.Header.Get("Signalbox-Model")), run)
	if err != nil {
		return err
	}
	return httpapi.JSON(w, map[bool]int{true: http.StatusCreated, false: http.StatusOK}[created], id)
}

// call sends a request and decodes the answer.
func (s *stack) call(method, path, body string, v any) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	client := &http.Client{Timeout: time.Minute}
	answer, err := client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		s.t.Fatalf("%s %s: %d %s, %v", method, path, answer.StatusCode, b, err)
	}
	if text, ok := v.(*string); ok && path != "/train" {
		*text = string(b)
	} else if err := json.Unmarshal(b, v); err != nil {
		s.t.Fatal(err)
	}
}

// declare applies a workflow with this source.
func (s *stack) declare(name, source string) {
	s.t.Helper()
	body, err := json.Marshal(spec.Workflow{Entrypoint: "flow:Flow", Files: map[string]spec.WorkflowFile{"flow.py": {Content: source}}})
	if err != nil {
		s.t.Fatal(err)
	}
	doc := spec.Document{APIVersion: spec.APIVersion, Kind: spec.KindWorkflow, Metadata: spec.Metadata{Name: name}, Spec: body}
	if _, err := s.reg.Apply(s.t.Context(), []spec.Document{doc}, false); err != nil {
		s.t.Fatal(err)
	}
}

// data makes flights, as the trainer's own tests do, and publishes them as a dataset and as a plain file.
func (s *stack) data(python string) {
	s.t.Helper()
	script := "import sys; sys.path[:0] = ['tests', 'src']\nimport support; sys.stdout.buffer.write(support.parquet(support.flights(4000)))"
	cmd := exec.CommandContext(s.t.Context(), python, "-B", "-c", script)
	cmd.Dir, cmd.Stderr = trainer, s.t.Output()
	b, err := cmd.Output()
	if err != nil {
		s.t.Fatal(err)
	}
	sum := cas.Sum(b)
	for _, key := range []string{"datasets/flights/p/part-0.parquet", "data/flights.parquet"} {
		if _, err := s.bucket.Put(s.t.Context(), key, bytes.NewReader(b), int64(len(b)), bucket.PutOptions{SHA256: sum}); err != nil {
			s.t.Fatal(err)
		}
	}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	m := manifest.Dataset{
		Name: "flights", Plan: sum, Spec: sum, Compiler: "test/1", Start: start, End: start.AddDate(0, 1, 0), Watermark: start.AddDate(0, 1, 1),
		Rows: 4000, Label: "late", Parts: []manifest.Part{{Key: "datasets/flights/p/part-0.parquet", Digest: sum, Bytes: int64(len(b)), Rows: 4000}},
	}
	for name, typ := range map[string]string{
		"event_time": manifest.Timestamp, "carrier": manifest.String, "origin": manifest.String, "distance": manifest.Integer,
		"departure_delay": manifest.Number, "wind_speed": manifest.Number, "weekend": manifest.Boolean, "late": manifest.Boolean,
	} {
		m.Columns = append(m.Columns, manifest.Column{Name: name, Type: typ, Nullable: name == "wind_speed"})
	}
	if _, _, err := s.reg.PublishDataset(s.t.Context(), m); err != nil {
		s.t.Fatal(err)
	}
}

// train requests a run and waits for its end.
func (s *stack) train(workflow, feature string) registry.Run {
	s.t.Helper()
	return s.trainWith(workflow, feature, `"CPU"`)
}

// trainWith is train with a value of compute_resource.
func (s *stack) trainWith(workflow, feature, resource string) registry.Run {
	s.t.Helper()
	body := fmt.Sprintf(`{"model_name":"flight-delay","owner":"tests","compute_resource":%s,"data":{"features":[%s],"date_column":"event_time",
		"holdout_sampling":{"sampling_function":"DATE_RANGE","date_range_sampling":{"last":"4d"}}},
		"train":{"workflow_name":%q,"classifier_features":["carrier","origin","distance","departure_delay","wind_speed","weekend"],
		"label":"late","custom_params":{"num_leaves":7,"seed":3}}}`, resource, feature, workflow)
	var id string
	s.call("POST", "/train", body, &id)
	timeout, tick := time.After(3*time.Minute), time.NewTicker(100*time.Millisecond)
	defer tick.Stop()
	for {
		var run registry.Run
		s.call("GET", "/v1/runs/"+id, "", &run)
		if run.State.Final() {
			return run
		}
		select {
		case <-tick.C:
		case <-timeout:
			s.t.Fatalf("run %s is still %s at attempt %d", id, run.State, run.Attempt)
		}
	}
}
