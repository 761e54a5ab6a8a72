package inference

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/tagwatch"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/remote"
	"github.com/signalbox-ml/signalbox/services/inference/runtime"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// sealed is an engine whose answers prove which package made them: a keyed hash of the input under two keys, each from
// a file of its own. An answer of a mixture, or of a model that was closed, cannot be right.
type sealed struct{ loads atomic.Int64 }

func (s *sealed) Load(_ context.Context, dir string, _ manifest.Signature) (runtime.Model, error) {
	s.loads.Add(1)
	var keys [2][]byte
	for i, name := range []string{"model.txt", "code/pre.txt"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		keys[i] = b
	}
	return &sealedModel{keys: keys}, nil
}

type sealedModel struct {
	keys   [2][]byte
	closed atomic.Bool
}

func (m *sealedModel) Predict(_ context.Context, in runtime.Batch) (runtime.Batch, error) {
	if in.Width != 2 {
		return runtime.Batch{}, runtime.ErrWidth
	}
	out := runtime.Batch{Rows: in.Rows, Width: 1}
	for i := range in.Rows {
		out.Values = append(out.Values, seal(m.keys, in.Row(i)[0]))
	}
	if m.closed.Load() {
		return runtime.Batch{}, runtime.ErrClosed
	}
	return out, nil
}

func (m *sealedModel) Close() error {
	m.closed.Store(true)
	for _, k := range m.keys {
		clear(k)
	}
	return nil
}

func seal(keys [2][]byte, x float64) float64 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], math.Float64bits(x))
	inner := hmac.New(sha256.New, keys[0])
	inner.Write(b[:])
	outer := hmac.New(sha256.New, keys[1])
	outer.Write(inner.Sum(nil))
	return float64(binary.LittleEndian.Uint64(outer.Sum(nil))>>11) / (1 << 53)
}

// built is a package with what it must answer.
type built struct {
	id       cas.Digest
	manifest []byte
	files    map[string][]byte
}

func (b built) answer(x float64) float64 {
	return seal([2][]byte{b.files["model.txt"], b.files["code/pre.txt"]}, x)
}

// build makes a package; change may spoil its files first.
func build(t testing.TB, name string, change func(files map[string][]byte)) built {
	t.Helper()
	b := built{files: map[string][]byte{"model.txt": []byte("weights of " + name), "code/pre.txt": []byte("preprocessing of " + name)}}
	sig := manifest.Signature{
		Runtime: manifest.RuntimeTrees, Format: manifest.FormatLightGBM, Model: "model.txt", Golden: "golden.jsonl", Tolerance: 1e-12,
		Inputs:  []manifest.Column{{Name: "x", Type: manifest.Number}, {Name: "y", Type: manifest.Number, Nullable: true}},
		Outputs: []manifest.Column{{Name: "probability", Type: manifest.Number}},
	}
	for _, x := range []float64{0, 1, -2.5} {
		b.files["golden.jsonl"] = fmt.Appendf(b.files["golden.jsonl"], "{\"input\":{\"x\":%v},\"output\":{\"probability\":%v}}\n", x, b.answer(x))
	}
	text, err := json.Marshal(sig)
	if err != nil {
		t.Fatal(err)
	}
	b.files[manifest.SignatureFile] = text
	if change != nil {
		change(b.files)
	}
	m := manifest.Package{Config: cas.Descriptor{MediaType: manifest.MediaConfig, Digest: cas.Sum([]byte("config")), Size: 6}}
	for path, body := range b.files {
		d := cas.Descriptor{MediaType: manifest.MediaWeight, Digest: cas.Sum(body), Size: int64(len(body))}
		m.Layers = append(m.Layers, manifest.Layer{Descriptor: d, Path: path})
	}
	if b.manifest, err = m.Encode(); err != nil {
		t.Fatal(err)
	}
	b.id = cas.Sum(b.manifest)
	return b
}

// world is everything around a server: the registry's API and the object store behind it, tags, and prediction events.
type world struct {
	t      testing.TB
	api    *httptest.Server
	source *remote.Client
	engine *sealed

	mu       sync.Mutex
	packages map[cas.Digest]built
	blobs    map[string][]byte // by path of the signed read
	away     bool
	policy   remote.Policy
	fetched  int

	tags    map[registry.Tag]registry.TagState
	whole   bool
	changed chan struct{}

	recorded []events.Event
	refuse   bool
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{
		t: t, engine: &sealed{}, packages: map[cas.Digest]built{}, blobs: map[string][]byte{}, whole: true,
		tags: map[registry.Tag]registry.TagState{}, changed: make(chan struct{}, 1),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/packages/{id}", w.served(func(rw http.ResponseWriter, p built) { _, _ = rw.Write(p.manifest) }))
	mux.HandleFunc("GET /v1/packages/{id}/files", w.served(w.files))
	mux.HandleFunc("GET /store/{key...}", func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.fetched++
		b, ok := w.blobs[r.PathValue("key")]
		if !ok || w.away {
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = rw.Write(b)
	})
	w.api = httptest.NewServer(mux)
	t.Cleanup(w.api.Close)
	var err error
	if w.source, err = remote.New(remote.Config{URL: w.api.URL, Timeout: 10 * time.Second}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) served(answer func(http.ResponseWriter, built)) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock()
		id, err := cas.Parse(r.PathValue("id"))
		p, ok := w.packages[id]
		switch {
		case w.away:
			rw.WriteHeader(http.StatusServiceUnavailable)
		case err != nil || !ok:
			rw.WriteHeader(http.StatusNotFound)
		default:
			answer(rw, p)
		}
	}
}

func (w *world) files(rw http.ResponseWriter, p built) {
	f := remote.Files{Model: "flights", Policy: w.policy}
	for path, body := range p.files {
		f.Files = append(f.Files, registry.SignedFile{
			Path: path, Descriptor: cas.Descriptor{Digest: cas.Sum(body), Size: int64(len(body))},
			Get: bucket.Signed{Method: http.MethodGet, URL: w.api.URL + "/store/" + p.id.String() + "/" + path},
		})
	}
	_ = json.NewEncoder(rw).Encode(f)
}

// add publishes packages.
func (w *world) add(list ...built) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range list {
		w.packages[p.id] = p
		for path, body := range p.files {
			w.blobs[p.id.String()+"/"+path] = body
		}
	}
}

// store replaces the bytes that the object store has for a file.
func (w *world) store(p built, path string, body []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.blobs[p.id.String()+"/"+path] = body
}

// outage turns the registry and the store off or on.
func (w *world) outage(away bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.away = away
}

func (w *world) View() tagwatch.View {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := tagwatch.View{Complete: w.whole}
	for _, s := range w.tags {
		v.Tags = append(v.Tags, s)
	}
	return v
}

func (w *world) Changed() <-chan struct{} { return w.changed }

var production = registry.Tag{Model: "flights", Name: "production"}

// move moves a tag to packages of equal weight.
func (w *world) move(tag registry.Tag, generation int64, list ...built) {
	s := registry.TagState{Tag: tag, Generation: generation}
	for _, p := range list {
		s.Arms = append(s.Arms, registry.Arm{Package: p.id, Weight: 10000 / len(list)})
	}
	w.mu.Lock()
	w.tags[tag] = s
	w.mu.Unlock()
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

func (w *world) TryPublish(ev events.Event) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refuse {
		return false
	}
	w.recorded = append(w.recorded, ev)
	return true
}

func (w *world) events() []events.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.recorded)
}

// running is a server under test.
type running struct {
	*Server
	world *world
	url   string
	token string
	http  *http.Client
	log   *logged
	stop  func()
}

func (w *world) config(dir string) Config {
	return Config{
		LoaderConfig: LoaderConfig{Dir: dir, Source: w.source, Runtimes: map[string]runtime.Runtime{manifest.RuntimeTrees: w.engine}},
		Tags:         w, Recorder: w, MinRetry: 5 * time.Millisecond, MaxRetry: 20 * time.Millisecond, QueueWait: 20 * time.Second,
	}
}

// start runs a server on dir. It is stopped with the test, or before by stop.
func (w *world) start(t testing.TB, cfg Config) *running {
	t.Helper()
	log := new(logged)
	cfg.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	text, token, err := auth.NewToken("test", auth.Predictor)
	if err != nil {
		t.Fatal(err)
	}
	who, err := auth.New([]auth.Token{token}, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	router, err := httpapi.NewRouter(httpapi.Config{Auth: who, Log: cfg.Log})
	if err != nil {
		t.Fatal(err)
	}
	s.Routes(router)
	front := httptest.NewServer(router)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	r := &running{Server: s, world: w, url: front.URL, token: text, http: front.Client(), log: log}
	r.stop = sync.OnceFunc(func() {
		front.Close()
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(30 * time.Second):
			t.Error("Run did not end")
		}
	})
	t.Cleanup(r.stop)
	return r
}

// serves waits until a tag is served at a generation.
func (r *running) serves(t testing.TB, tag registry.Tag, generation int64) {
	t.Helper()
	waitFor(t, fmt.Sprintf("%s at %d", tag, generation), func() bool {
		route := r.keeper.table.Load().routes[tag]
		return route != nil && route.generation == generation
	})
}

// reply is an answer of the server.
type reply struct {
	status int
	header http.Header
	body   string
	// of a success
	Predictions   []struct{ Probability *float64 }
	Package       cas.Digest
	Generation    int64
	PredictionIDs []string `json:"prediction_ids"`
	// of a problem
	Code, Detail, Feature string
	Row                   *int
}

func (r *running) call(method, path, body string, header ...string) (reply, error) {
	req, err := http.NewRequest(method, r.url+path, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Authorization", "Bearer "+r.token)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := r.http.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	out := reply{status: resp.StatusCode, header: resp.Header, body: string(b)}
	if json.Valid(b) {
		err = errors.Join(err, json.Unmarshal(b, &out))
	}
	return out, err
}

// ask predicts and wants a status.
func (r *running) ask(t testing.TB, status int, path, body string, header ...string) reply {
	t.Helper()
	got, err := r.call(http.MethodPost, path, body, header...)
	if err != nil {
		t.Fatal(err)
	}
	if got.status != status {
		t.Fatalf("POST %s %s: %d %s, want %d", path, body, got.status, got.body, status)
	}
	return got
}

const predictPath = "/v1/predict/flights/production"

// logged is a log that can be read.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	end := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("waited for %s", what)
		}
	}
}
