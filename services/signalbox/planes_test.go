package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/tagwatch"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
	"github.com/signalbox-ml/signalbox/events/kafka/kafkatest"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/membucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger/ledgertest"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/registrytest"
	"github.com/signalbox-ml/signalbox/registry/remote"
	"github.com/signalbox-ml/signalbox/services/inference"
	"github.com/signalbox-ml/signalbox/services/inference/runtime"
	"github.com/signalbox-ml/signalbox/services/inference/runtime/trees"
	"github.com/signalbox-ml/signalbox/services/ingest"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
	"github.com/signalbox-ml/signalbox/services/internal/telemetry"
	"github.com/signalbox-ml/signalbox/services/registryapi"
	"github.com/signalbox-ml/signalbox/services/training"
)

// planes are both planes with everything that they mount, over a registry, a bucket, a ledger and a broker in memory.
type planes struct {
	t       *testing.T
	app     *app
	catalog *registrytest.Memory
	reg     *registry.Registry
	bucket  *membucket.Bucket
	ledger  *ledgertest.Memory
	tokens  map[auth.Role]string
	routers map[string]*httpapi.Router
	served  map[string]string // addresses
	kafka   kafka.Config
	down    error // what keeps the processes from being ready
}

// mounted is how many services newPlanes mounts: as many as wire.go.
const mounted = 4

func newPlanes(t *testing.T) *planes {
	t.Helper()
	p := &planes{
		t: t, catalog: registrytest.NewMemory(), bucket: membucket.New(), ledger: ledgertest.NewMemory(), tokens: map[auth.Role]string{},
		routers: map[string]*httpapi.Router{}, served: map[string]string{},
	}
	p.authenticate()
	store := httptest.NewServer(http.HandlerFunc(p.store))
	t.Cleanup(store.Close)
	p.reg = got(registry.New(registry.Config{Catalog: p.catalog, Store: cas.NewStore(p.bucket), Signer: addresses{store.URL}}))(t)
	broker := got(kafkatest.NewVirtual())(t)
	t.Cleanup(broker.Close)
	p.kafka = broker.Config()
	admin := got(kafka.NewAdmin(kafka.AdminConfig{Config: p.kafka}))(t)
	t.Cleanup(admin.Close)
	if err := admin.EnsureTopics(t.Context(), events.LifecycleTopics()); err != nil {
		t.Fatal(err)
	}
	producer := got(kafka.NewProducer(kafka.ProducerConfig{Config: p.kafka}))(t)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := producer.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	p.control(admin, producer)
	p.data(producer)
	return p
}

// authenticate gives every role a token, the role of jobs included.
func (p *planes) authenticate() {
	p.t.Helper()
	var stored []auth.Token
	for _, role := range auth.Roles() {
		text, token, err := auth.NewToken(string(role), role)
		if err != nil {
			p.t.Fatal(err)
		}
		stored, p.tokens[role] = append(stored, token), text
	}
	who := got(auth.New(stored, []byte(strings.Repeat("k", 32))))(p.t)
	p.tokens[auth.Job] = got(who.MintRun("9081e64f-b2c0-455e-bcaa-c1c211fa124b", 1, time.Hour))(p.t)
	tel := got(telemetry.Setup(p.t.Context(), telemetry.Config{Version: "test", LogFormat: "text", LogOutput: io.Discard}))(p.t)
	p.t.Cleanup(func() {
		if err := tel.Shutdown(context.Background()); err != nil {
			p.t.Error(err)
		}
	})
	p.app = &app{auth: who, log: tel.Log, metrics: tel.Metrics}
	p.app.ready = []check{{"a part", func(context.Context) error { return p.down }}}
}

func (p *planes) control(admin *kafka.Admin, producer *kafka.Producer) {
	p.t.Helper()
	rt := got(p.app.router())(p.t)
	got(ingest.New(ingest.Config{Publisher: producer, Specs: p.catalog}))(p.t).Routes(rt)
	got(registryapi.New(registryapi.Config{Registry: p.reg, Ledger: p.ledger, Bucket: p.bucket, Topics: admin}))(p.t).Routes(rt)
	got(training.New(training.Config{
		Runs: p.reg, Reports: p.reg, Declared: p.reg, Bucket: p.bucket, BucketName: "signalbox", Poll: time.Millisecond,
	}))(p.t).Routes(rt)
	p.serve(controlPlane, rt)
}

func (p *planes) data(producer *kafka.Producer) {
	p.t.Helper()
	client := got(remote.New(remote.Config{URL: p.served[controlPlane], Token: p.tokens[auth.Viewer]}))(p.t)
	tags := got(tagwatch.New(tagwatch.Config{
		Follower: got(kafka.NewFollower(p.kafka))(p.t), Tags: client, MinPoll: 10 * time.Millisecond, MaxPoll: 20 * time.Millisecond,
	}))(p.t)
	server := got(inference.New(inference.Config{
		LoaderConfig: inference.LoaderConfig{
			Dir: p.t.TempDir(), Source: client, Runtimes: map[string]runtime.Runtime{manifest.RuntimeTrees: trees.Runtime{}},
		},
		Tags: tags, Recorder: producer, MinGenerationWait: time.Millisecond,
	}))(p.t)
	rt := got(p.app.router())(p.t)
	server.Routes(rt)
	p.work(tags.Run)
	p.work(server.Run)
	p.serve(dataPlane, rt)
}

// serve puts a router on a port.
func (p *planes) serve(plane string, rt *httpapi.Router) {
	srv := httptest.NewServer(rt)
	p.t.Cleanup(srv.Close)
	p.routers[plane], p.served[plane] = rt, srv.URL
}

// work runs a worker until the test ends.
func (p *planes) work(run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	p.t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				p.t.Error(err)
			}
		case <-time.After(30 * time.Second):
			p.t.Error("a worker does not end")
		}
	})
}

// store is the object store behind signed requests.
func (p *planes) store(w http.ResponseWriter, r *http.Request) {
	key := strings.TrimPrefix(r.URL.Path, "/")
	if r.Method == http.MethodPut {
		b, err := io.ReadAll(r.Body)
		if err == nil {
			_, err = p.bucket.Put(r.Context(), key, strings.NewReader(string(b)), int64(len(b)), bucket.PutOptions{CreateOnly: true})
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusPreconditionFailed)
		}
		return
	}
	body, _, err := p.bucket.Get(r.Context(), key, bucket.Range{})
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	defer body.Close()
	_, _ = io.Copy(w, body) // a reader that went away
}

// addresses signs with the address of that store.
type addresses struct{ url string }

func (a addresses) SignGet(_ context.Context, key string, ttl time.Duration) (bucket.Signed, error) {
	return bucket.Signed{Method: http.MethodGet, URL: a.url + "/" + key, Expires: time.Now().Add(ttl)}, nil
}

func (a addresses) SignPut(_ context.Context, key string, _ [32]byte, _ int64, ttl time.Duration) (bucket.Signed, error) {
	return bucket.Signed{Method: http.MethodPut, URL: a.url + "/" + key, Header: map[string][]string{"If-None-Match": {"*"}}, Expires: time.Now().Add(ttl)}, nil
}

// got returns v, unless there is an error.
func got[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
