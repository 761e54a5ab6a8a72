package registryapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/membucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger/ledgertest"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/registrytest"
	"github.com/signalbox-ml/signalbox/registry/remote"
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

// topics notes what is made, and what the registry had declared at that moment.
type topics struct {
	mu   sync.Mutex
	made []events.TopicSpec
	seen func() int
	then []int // what seen said each time
	err  error
}

func (p *topics) EnsureTopics(_ context.Context, specs []events.TopicSpec) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return p.err
	}
	p.made = append(p.made, specs...)
	p.then = append(p.then, p.seen())
	return nil
}

// catalog is a catalog in memory that can be told to fail.
type catalog struct {
	*registrytest.Memory
	fail error
}

func (c *catalog) ListSpecs(ctx context.Context, kind string) ([]registry.Spec, error) {
	if c.fail != nil {
		return nil, c.fail
	}
	return c.Memory.ListSpecs(ctx, kind)
}

// world is the API over a registry, a ledger and a bucket in memory, on a port.
type world struct {
	t       *testing.T
	reg     *registry.Registry
	catalog *catalog
	ledger  *ledgertest.Memory
	bucket  *membucket.Bucket
	store   *cas.Store
	topics  *topics
	auth    *auth.Authenticator
	server  *Server
	router  *httpapi.Router
	tokens  map[auth.Role]string
	url     string
}

func newWorld(t *testing.T, change ...func(*Config)) *world {
	t.Helper()
	w := &world{
		t: t, catalog: &catalog{Memory: registrytest.NewMemory()}, ledger: ledgertest.NewMemory(), bucket: membucket.New(),
		topics: &topics{}, tokens: map[auth.Role]string{},
	}
	w.store = cas.NewStore(w.bucket)
	w.reg = must(registry.New(registry.Config{Catalog: w.catalog, Store: w.store, Signer: signer{}}))(t)
	w.topics.seen = func() int { return len(must(w.reg.Specs(t.Context(), ""))(t)) }
	var stored []auth.Token
	for _, role := range auth.Roles() {
		text, tok, err := auth.NewToken("a "+string(role), role)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, tok)
		w.tokens[role] = text
	}
	w.auth = must(auth.New(stored, []byte(strings.Repeat("k", 32))))(t)
	cfg := Config{Registry: w.reg, Ledger: w.ledger, Bucket: w.bucket, Topics: w.topics}
	for _, f := range change {
		f(&cfg)
	}
	w.router = must(httpapi.NewRouter(httpapi.Config{Auth: w.auth}))(t)
	w.server = must(New(cfg))(t)
	w.server.Routes(w.router)
	s := httptest.NewServer(w.router)
	t.Cleanup(s.Close)
	w.url = s.URL
	return w
}

// must returns v, unless there is an error.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// as is a client with the token of a role.
func (w *world) as(role auth.Role) *remote.Client {
	w.t.Helper()
	return must(remote.New(remote.Config{URL: w.url, Token: w.tokens[role]}))(w.t)
}

// answer is a response that was read.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request as a client in any language would.
func (w *world) do(token, method, path, body string, headers ...string) answer {
	w.t.Helper()
	r := must(http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body)))(w.t)
	r.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp := must(http.DefaultClient.Do(r))(w.t)
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(must(b, errors.Join(err, resp.Body.Close()))(w.t))}
}

// fault is one member of a problem's errors.
type fault struct{ Pointer, Detail string }

// problem is what a client reads of an error.
type problem struct {
	Code, Detail string
	Errors       []fault
	Missing      []cas.Digest
	Current      *remote.Tag
}

// get decodes an answer that must have this status.
func get[T any](t *testing.T, a answer, status int) T {
	t.Helper()
	var v T
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	return v
}

// refusal is one request that is not served.
type refusal struct {
	role         auth.Role
	method, path string
	body         string
	headers      []string
	status       int
	code         string
	detail       string // part of it
}

func (w *world) refuses(name string, c refusal) problem {
	w.t.Helper()
	a := w.do(w.tokens[c.role], c.method, c.path, c.body, c.headers...)
	var p problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.status != c.status || p.Code != c.code || !strings.Contains(p.Detail, c.detail) ||
		a.header.Get("Content-Type") != "application/problem+json" {
		w.t.Errorf("%s: %d %s, want %d %s %q", name, a.status, a.body, c.status, c.code, c.detail)
	}
	return p
}

// files are a small package's files; different text, different package.
func (w *world) files(text string) (m manifest.Package, blobs map[cas.Digest]string) {
	w.t.Helper()
	sig := must(json.Marshal(manifest.Signature{
		Runtime: manifest.RuntimeTrees, Format: manifest.FormatLightGBM, Model: "model.txt", Golden: "golden.jsonl",
		Inputs: []manifest.Column{{Name: "delay", Type: manifest.Number}}, Outputs: []manifest.Column{{Name: "late", Type: manifest.Number}},
	}))(w.t)
	blobs = map[cas.Digest]string{}
	add := func(media, content string) cas.Descriptor {
		d := cas.Descriptor{MediaType: media, Digest: cas.Sum([]byte(content)), Size: int64(len(content))}
		blobs[d.Digest] = content
		return d
	}
	for path, content := range map[string]string{"model.txt": text, "signature.json": string(sig), "golden.jsonl": "{}"} {
		m.Layers = append(m.Layers, manifest.Layer{Path: path, Descriptor: add(manifest.MediaWeight, content)})
	}
	m.Config = add(manifest.MediaConfig, string(must(manifest.EncodeConfig(manifest.FormatLightGBM, m.Layers))(w.t)))
	return m, blobs
}

// upload does what a signed PUT does.
func (w *world) upload(blobs map[cas.Digest]string) {
	w.t.Helper()
	for _, content := range blobs {
		must(w.store.Push(w.t.Context(), manifest.MediaWeight, []byte(content)))(w.t)
	}
}

// publish publishes a package by hand and returns its id.
func (w *world) publish(text string, run ...registry.RunID) cas.Digest {
	w.t.Helper()
	m, blobs := w.files(text)
	w.upload(blobs)
	b := must(m.Encode())(w.t)
	var from registry.RunID
	if len(run) > 0 {
		from = run[0]
	}
	if _, _, err := w.reg.PublishPackage(w.t.Context(), cas.Sum(b), b, "flight-delay", from); err != nil {
		w.t.Fatal(err)
	}
	return cas.Sum(b)
}

const workflowYAML = `apiVersion: signalbox.dev/v1
kind: Workflow
metadata: {name: flight-delay}
spec:
  entrypoint: delay:FlightDelay
  files: {delay.py: {content: "class FlightDelay: pass\n"}}
`

// run takes a run on a dataset to its first attempt.
func (w *world) run() registry.Run {
	w.t.Helper()
	ctx := w.t.Context()
	must(w.reg.Apply(ctx, must(spec.Parse([]byte(workflowYAML)))(w.t), false))(w.t)
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	sum := cas.Sum([]byte("part"))
	d, _, err := w.reg.PublishDataset(ctx, manifest.Dataset{
		Name: "flights", Plan: sum, Spec: sum, Compiler: "test/1", Start: start, End: start.Add(time.Hour), Watermark: start.Add(time.Hour),
		Rows: 2, Columns: []manifest.Column{{Name: "delay", Type: manifest.Number}, {Name: "late", Type: manifest.Boolean}}, Label: "late",
		Parts: []manifest.Part{{Key: "datasets/p/part-0.parquet", Digest: sum, Bytes: 10, Rows: 2}},
		Sources: []manifest.Source{{Key: "archive/a.parquet", Digest: sum, Topic: "events.flights", TopicID: "00ff", Partition: 1,
			Start: 5, End: 9, Rows: 4}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	run, _, err := w.reg.RequestRun(ctx, registry.RunRequest{Request: json.RawMessage(`{"model_name":"flight-delay",
		"data":{"features":[{"dataset":"` + d.ID.String() + `"}]},
		"train":{"workflow_name":"flight-delay","classifier_features":["delay"],"label":"late"}}`)})
	if err != nil {
		w.t.Fatal(err)
	}
	must(w.reg.QueueRun(ctx, run.ID, "CPU"))(w.t)
	return must(w.reg.StartRun(ctx, run.ID, 1, nil))(w.t)
}

// trained is a run that has left a package.
func (w *world) trained() (registry.Run, cas.Digest) {
	w.t.Helper()
	run := w.run()
	id := w.publish("trained", run.ID)
	return must(w.reg.CompleteRun(w.t.Context(), run.ID, 1, id, nil))(w.t), id
}

func (w *world) jobToken(id registry.RunID) string {
	w.t.Helper()
	return must(w.auth.MintRun(id.String(), 1, time.Hour))(w.t)
}
