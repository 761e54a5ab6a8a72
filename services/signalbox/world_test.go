package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/membucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger/ledgertest"
	"github.com/signalbox-ml/signalbox/registry/registrytest"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
	"github.com/signalbox-ml/signalbox/services/registryapi"
	"github.com/signalbox-ml/signalbox/services/training"
)

// result is what a command line left behind.
type result struct {
	out, err string
	code     int
}

// execute runs one command line as main does, with an environment of its own.
func execute(ctx context.Context, env map[string]string, stdin string, args ...string) result {
	var out, errOut strings.Builder
	s := newSession(strings.NewReader(stdin), &out, &errOut, func(k string) (string, bool) { v, ok := env[k]; return v, ok })
	s.poll = time.Millisecond
	root := rootOf(s)
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&errOut)
	code := 0
	if err := root.ExecuteContext(ctx); err != nil {
		code = s.complain(err)
	}
	return result{out.String(), errOut.String(), code}
}

// rootOf is a command line of the client's commands only.
func rootOf(s *session) *cobra.Command {
	root := &cobra.Command{Use: "signalbox", SilenceUsage: true, SilenceErrors: true}
	s.bind(root)
	root.AddCommand(clientCommands(s)...)
	return root
}

// ok wants success and returns what was printed.
func (r result) ok(t *testing.T) string {
	t.Helper()
	if r.code != 0 || r.err != "" {
		t.Fatalf("exit code %d: %s%s", r.code, r.out, r.err)
	}
	return r.out
}

// fails wants exit code 1 and every word on stderr.
func (r result) fails(t *testing.T, words ...string) {
	t.Helper()
	if r.code != 1 || !strings.HasPrefix(r.err, "signalbox: ") {
		t.Fatalf("exit code %d: %s%s", r.code, r.out, r.err)
	}
	for _, w := range words {
		if !strings.Contains(r.err, w) {
			t.Errorf("stderr does not say %q: %s", w, r.err)
		}
	}
}

// world is the control plane over a registry in memory.
type world struct {
	t       *testing.T
	reg     *registry.Registry
	catalog *registrytest.Memory
	bucket  *membucket.Bucket
	topics  topics
	env     map[string]string
}

// topics remembers what was made.
type topics struct{ made []string }

func (k *topics) EnsureTopics(_ context.Context, specs []events.TopicSpec) error {
	for _, s := range specs {
		k.made = append(k.made, s.Name)
	}
	return nil
}

// signer signs with words.
type signer struct{}

func (signer) SignGet(_ context.Context, key string, _ time.Duration) (bucket.Signed, error) {
	return bucket.Signed{Method: "GET", URL: "signed:" + key}, nil
}

func (signer) SignPut(_ context.Context, key string, _ [32]byte, _ int64, _ time.Duration) (bucket.Signed, error) {
	return bucket.Signed{Method: "PUT", URL: "signed:" + key}, nil
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, catalog: registrytest.NewMemory(), bucket: membucket.New()}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	w.reg, err = registry.New(registry.Config{Catalog: w.catalog, Store: cas.NewStore(w.bucket), Signer: signer{}})
	must(err)
	text, token, err := auth.NewToken("kelley", auth.Admin)
	must(err)
	who, err := auth.New([]auth.Token{token}, []byte(strings.Repeat("k", 32)))
	must(err)
	router, err := httpapi.NewRouter(httpapi.Config{Auth: who})
	must(err)
	tr, err := training.New(training.Config{Runs: w.reg, Reports: w.reg, Declared: w.reg, Bucket: w.bucket, BucketName: "signalbox", Poll: time.Millisecond})
	must(err)
	tr.Routes(router)
	api, err := registryapi.New(registryapi.Config{Registry: w.reg, Ledger: ledgertest.NewMemory(), Bucket: w.bucket, Topics: &w.topics})
	must(err)
	api.Routes(router)
	srv := httptest.NewServer(router)
	t.Cleanup(srv.Close)
	w.env = map[string]string{"SIGNALBOX_URL": srv.URL, "SIGNALBOX_TOKEN": text}
	return w
}

func (w *world) run(args ...string) result {
	w.t.Helper()
	return execute(w.t.Context(), w.env, "", args...)
}

// publish puts a package into the catalog and returns its id.
func (w *world) publish(name string) cas.Digest {
	w.t.Helper()
	id := cas.Sum([]byte(name))
	if _, err := w.catalog.PutPackage(w.t.Context(), registry.Package{ID: id, Model: "delay", Format: "lightgbm-text", Size: 12}); err != nil {
		w.t.Fatal(err)
	}
	return id
}

// canned answers paths with fixed documents, as "METHOD /path" or "METHOD /path?query".
type canned map[string]any

func (c canned) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := r.Method + " " + r.URL.RequestURI()
	switch v := c[key].(type) {
	case nil:
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"type":"https://signalbox.dev/problems/not_found","title":"Not Found","detail":"there is no such object","request_id":"r-1"}`)
	case http.HandlerFunc:
		v(w, r)
	case string:
		_, _ = io.WriteString(w, v)
	default:
		_ = json.NewEncoder(w).Encode(v) // a test would see what is missing
	}
}

// serve returns the environment of a server of fixed answers, for both planes.
func serve(t *testing.T, h http.Handler) map[string]string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return map[string]string{"SIGNALBOX_URL": srv.URL, "SIGNALBOX_PREDICT_URL": srv.URL, "SIGNALBOX_TOKEN": "sbx_test"}
}

// problem answers with a problem document.
func problem(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// same compares outputs line by line without what stands at their ends.
func same(t *testing.T, got, want string) {
	t.Helper()
	if strings.TrimSpace(got) != strings.TrimSpace(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
