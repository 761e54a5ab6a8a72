package training

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/membucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/registrytest"
	"github.com/signalbox-ml/signalbox/registry/spec"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// signer signs with words.
type signer struct{}

func (signer) SignGet(_ context.Context, key string, _ time.Duration) (bucket.Signed, error) {
	return bucket.Signed{Method: "GET", URL: "signed:" + key}, nil
}

func (signer) SignPut(_ context.Context, key string, _ [32]byte, _ int64, _ time.Duration) (bucket.Signed, error) {
	return bucket.Signed{Method: "PUT", URL: "signed:" + key}, nil
}

// world is the API over a registry in memory, behind the router with its permissions.
type world struct {
	t       *testing.T
	reg     *registry.Registry
	catalog *registrytest.Memory
	bucket  *membucket.Bucket
	router  *httpapi.Router
	auth    *auth.Authenticator
	tokens  map[auth.Role]string
	dataset registry.Dataset
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, catalog: registrytest.NewMemory(), bucket: membucket.New(), tokens: map[auth.Role]string{}}
	reg, err := registry.New(registry.Config{Catalog: w.catalog, Store: cas.NewStore(w.bucket), Signer: signer{}})
	if err != nil {
		t.Fatal(err)
	}
	w.reg = reg
	var stored []auth.Token
	for _, role := range auth.Roles() {
		text, tok, err := auth.NewToken("a "+string(role), role)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, tok)
		w.tokens[role] = text
	}
	if w.auth, err = auth.New(stored, []byte(strings.Repeat("k", 32))); err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Runs: reg, Reports: reg, Declared: reg, Bucket: w.bucket, BucketName: "signalbox", Poll: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	w.serve(s)
	w.declare()
	return w
}

// serve puts a server behind a new router.
func (w *world) serve(s *Server) {
	w.t.Helper()
	var err error
	if w.router, err = httpapi.NewRouter(httpapi.Config{Auth: w.auth}); err != nil {
		w.t.Fatal(err)
	}
	s.Routes(w.router)
}

func (w *world) declare() {
	w.t.Helper()
	docs, err := spec.Parse([]byte(`apiVersion: signalbox.dev/v1
kind: Workflow
metadata: {name: flight-delay}
spec:
  entrypoint: delay:FlightDelay
  files: {delay.py: {content: "class FlightDelay: pass\n"}}
`))
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.reg.Apply(w.t.Context(), docs, false); err != nil {
		w.t.Fatal(err)
	}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	sum := cas.Sum([]byte("part"))
	w.dataset, _, err = w.reg.PublishDataset(w.t.Context(), manifest.Dataset{
		Name: "flights", Plan: sum, Spec: sum, Compiler: "test/1", Start: start, End: start.Add(time.Hour), Watermark: start.Add(time.Hour),
		Rows: 2, Label: "late", Columns: []manifest.Column{
			{Name: "event_time", Type: manifest.Timestamp}, {Name: "carrier", Type: manifest.String},
			{Name: "delay", Type: manifest.Number}, {Name: "late", Type: manifest.Boolean},
		},
		Parts: []manifest.Part{{Key: "datasets/flights/p/part-0.parquet", Digest: sum, Bytes: 10, Rows: 2}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// do sends a request with a token, and a body if there is one.
func (w *world) do(token, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), method, "http://127.0.0.1"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w.router.ServeHTTP(rec, r)
	return rec
}

// want checks the status and returns the decoded answer.
func want[T any](w *world, rec *httptest.ResponseRecorder, status int) T {
	w.t.Helper()
	var v T
	if rec.Code != status {
		w.t.Fatalf("status %d, want %d: %s", rec.Code, status, rec.Body)
	}
	if rec.Body.Len() > 0 {
		if err := json.Unmarshal(rec.Body.Bytes(), &v); err != nil {
			w.t.Fatalf("%v: %s", err, rec.Body)
		}
	}
	return v
}

// problem is what a client reads of an error.
type problem struct {
	Code, Detail string
	Errors       []struct{ Pointer, Detail string }
}

const goodRequest = `{
  "model_name": "flight-delay", "owner": "tests", "my_own": {"kept": [1, 2]},
  "data": {"features": [{"dataset": "flights@latest"}], "date_column": "event_time",
    "holdout_sampling": {"sampling_function": "DATE_RANGE", "date_range_sampling": {"last": "7d"}}},
  "train": {"workflow_name": "FlightDelay", "classifier_features": ["carrier", "delay"], "label": "late", "custom_params": {"x": 1}}
}`

// requestRun posts a good request.
func (w *world) requestRun(headers ...string) registry.RunID {
	w.t.Helper()
	return want[registry.RunID](w, w.do(w.tokens[auth.Trainer], "POST", "/train", goodRequest, headers...), http.StatusOK)
}

// queued returns a run whose first attempt has been submitted, and that attempt's token.
func (w *world) queued() (registry.RunID, string) {
	w.t.Helper()
	id := w.requestRun()
	if _, err := w.reg.QueueRun(w.t.Context(), id, "CPU"); err != nil {
		w.t.Fatal(err)
	}
	return id, w.jobToken(id, 1)
}

func (w *world) jobToken(id registry.RunID, attempt int) string {
	w.t.Helper()
	token, err := w.auth.MintRun(id.String(), attempt, time.Hour)
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

func (w *world) run(id registry.RunID) registry.Run {
	w.t.Helper()
	run, err := w.reg.Run(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return run
}

// publish puts a package into the catalog and returns its id.
func (w *world) publish(name string) cas.Digest {
	w.t.Helper()
	id := cas.Sum([]byte(name))
	if _, err := w.catalog.PutPackage(w.t.Context(), registry.Package{ID: id, Model: "flight-delay", Format: "lightgbm-text"}); err != nil {
		w.t.Fatal(err)
	}
	return id
}

func (w *world) put(key, content string) {
	w.t.Helper()
	if _, err := w.bucket.Put(w.t.Context(), key, strings.NewReader(content), int64(len(content)), bucket.PutOptions{}); err != nil {
		w.t.Fatal(err)
	}
}

func chunkKey(id registry.RunID, n int) string {
	return fmt.Sprintf("%s%s/%08d", registry.AttemptPrefix(id, 1), registry.LogDir, n)
}
