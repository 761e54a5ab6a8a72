package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	"github.com/signalbox-ml/signalbox/registry/spec"
	"github.com/signalbox-ml/signalbox/services/client"
	"github.com/signalbox-ml/signalbox/services/inference"
	"github.com/signalbox-ml/signalbox/services/inference/runtime"
	"github.com/signalbox-ml/signalbox/services/inference/runtime/trees"
	"github.com/signalbox-ml/signalbox/services/ingest"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
	"github.com/signalbox-ml/signalbox/services/registryapi"
	"github.com/signalbox-ml/signalbox/services/training"
)

// world is both planes, with their real handlers on ports, over a catalog, a bucket and a broker in memory. Between a
// plane and its client is an unreliable wire.
type world struct {
	reg    *registry.Registry
	bucket *membucket.Bucket
	tokens map[auth.Role]string
	wire   *wire
	url    string
	data   string
	kafka  kafka.Config
	close  []func() error
}

// start builds a world for a test.
func start(t *testing.T) *world {
	t.Helper()
	w, err := newWorld()
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// newWorld builds a world, which is to be closed even where there is an error.
func newWorld() (*world, error) {
	w := &world{bucket: membucket.New(), tokens: map[auth.Role]string{}, wire: &wire{}}
	return w, errors.Join(w.build())
}

func (w *world) build() error {
	store := w.listen(http.HandlerFunc(w.fetch))
	catalog := registrytest.NewMemory()
	reg, err := registry.New(registry.Config{Catalog: catalog, Store: cas.NewStore(w.bucket), Signer: signer{store}})
	if err != nil {
		return err
	}
	w.reg = reg
	who, err := w.authenticate()
	if err != nil {
		return err
	}
	admin, producer, err := w.broker()
	if err != nil {
		return err
	}
	if err := w.control(catalog, who, admin, producer); err != nil {
		return err
	}
	if err := w.predict(who, producer); err != nil {
		return err
	}
	return w.declare()
}

// Close ends what newWorld began, the newest first.
func (w *world) Close() error {
	var errs []error
	for i := range w.close {
		errs = append(errs, w.close[len(w.close)-1-i]())
	}
	return errors.Join(errs...)
}

func (w *world) listen(h http.Handler) string {
	s := httptest.NewServer(h)
	w.close = append(w.close, func() error { s.CloseClientConnections(); s.Close(); return nil })
	return s.URL
}

func (w *world) authenticate() (*auth.Authenticator, error) {
	var stored []auth.Token
	for _, role := range auth.Roles() {
		text, token, err := auth.NewToken("a "+string(role), role)
		if err != nil {
			return nil, err
		}
		stored, w.tokens[role] = append(stored, token), text
	}
	return auth.New(stored, []byte(strings.Repeat("k", 32)))
}

func (w *world) broker() (*kafka.Admin, *kafka.Producer, error) {
	b, err := kafkatest.NewVirtual()
	if err != nil {
		return nil, nil, err
	}
	w.close = append(w.close, func() error { b.Close(); return nil })
	w.kafka = b.Config()
	admin, err := kafka.NewAdmin(kafka.AdminConfig{Config: w.kafka})
	if err != nil {
		return nil, nil, err
	}
	w.close = append(w.close, func() error { admin.Close(); return nil })
	if err := admin.EnsureTopics(context.Background(), events.LifecycleTopics()); err != nil {
		return nil, nil, err
	}
	producer, err := kafka.NewProducer(kafka.ProducerConfig{Config: w.kafka})
	if err != nil {
		return nil, nil, err
	}
	w.close = append(w.close, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		return producer.Close(ctx)
	})
	return admin, producer, nil
}

func (w *world) control(catalog *registrytest.Memory, who *auth.Authenticator, admin *kafka.Admin, producer *kafka.Producer) error {
	rt, err := httpapi.NewRouter(httpapi.Config{Auth: who})
	if err != nil {
		return err
	}
	in, err := ingest.New(ingest.Config{Publisher: producer, Specs: catalog})
	if err != nil {
		return err
	}
	api, err := registryapi.New(registryapi.Config{Registry: w.reg, Ledger: ledgertest.NewMemory(), Bucket: w.bucket, Topics: admin})
	if err != nil {
		return err
	}
	railyard, err := training.New(training.Config{
		Runs: w.reg, Reports: w.reg, Declared: w.reg, Bucket: w.bucket, BucketName: "signalbox", Poll: time.Millisecond,
	})
	if err != nil {
		return err
	}
	in.Routes(rt)
	api.Routes(rt)
	railyard.Routes(rt)
	w.url = w.listen(w.wire.wrap(rt))
	return nil
}

func (w *world) predict(who *auth.Authenticator, producer *kafka.Producer) error {
	source, err := remote.New(remote.Config{URL: w.url, Token: w.tokens[auth.Viewer]})
	if err != nil {
		return err
	}
	follower, err := kafka.NewFollower(w.kafka)
	if err != nil {
		return err
	}
	tags, err := tagwatch.New(tagwatch.Config{Follower: follower, Tags: source, MinPoll: 10 * time.Millisecond, MaxPoll: 20 * time.Millisecond})
	if err != nil {
		return err
	}
	dir, remove, err := tempDir()
	if err != nil {
		return err
	}
	w.close = append(w.close, remove)
	server, err := inference.New(inference.Config{
		LoaderConfig: inference.LoaderConfig{Dir: dir, Source: source, Runtimes: map[string]runtime.Runtime{manifest.RuntimeTrees: trees.Runtime{}}},
		Tags:         tags, Recorder: producer, MinGenerationWait: 10 * time.Second,
	})
	if err != nil {
		return err
	}
	rt, err := httpapi.NewRouter(httpapi.Config{Auth: who})
	if err != nil {
		return err
	}
	server.Routes(rt)
	w.work(tags.Run)
	w.work(server.Run)
	w.data = w.listen(w.wire.wrap(rt))
	return nil
}

// work runs a worker until the world is closed.
func (w *world) work(run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	w.close = append(w.close, func() error { cancel(); return <-done })
}

// fetch is the object store behind signed requests.
func (w *world) fetch(rw http.ResponseWriter, r *http.Request) {
	body, _, err := w.bucket.Get(r.Context(), strings.TrimPrefix(r.URL.Path, "/"), bucket.Range{})
	if err != nil {
		http.Error(rw, err.Error(), http.StatusNotFound)
		return
	}
	defer body.Close()
	_, _ = io.Copy(rw, body)
}

// signer signs with the address of that store.
type signer struct{ url string }

func (s signer) SignGet(_ context.Context, key string, ttl time.Duration) (bucket.Signed, error) {
	return bucket.Signed{Method: http.MethodGet, URL: s.url + "/" + key, Expires: time.Now().Add(ttl)}, nil
}

func (s signer) SignPut(_ context.Context, key string, _ [32]byte, _ int64, ttl time.Duration) (bucket.Signed, error) {
	return bucket.Signed{Method: http.MethodPut, URL: s.url + "/" + key, Expires: time.Now().Add(ttl)}, nil
}

const declared = `apiVersion: signalbox.dev/v1
kind: Stream
metadata: {name: flights}
spec: {partitions: 1, types: {flight.departed: {schema: {type: object, required: [delay], properties: {delay: {type: number}}}}}}
---
apiVersion: signalbox.dev/v1
kind: Workflow
metadata: {name: delay}
spec: {entrypoint: "delay:Delay", files: {delay.py: {content: "class Delay: pass\n"}}}
`

// declare makes a stream with its topic, a workflow and a dataset.
func (w *world) declare() error {
	ctx := context.Background()
	docs, err := spec.Parse([]byte(declared))
	if err != nil {
		return err
	}
	if _, err := w.reg.Apply(ctx, docs, false); err != nil {
		return err
	}
	admin, err := kafka.NewAdmin(kafka.AdminConfig{Config: w.kafka})
	if err != nil {
		return err
	}
	defer admin.Close()
	if err := admin.EnsureTopics(ctx, []events.TopicSpec{{Name: "events.flights", Partitions: 1}}); err != nil {
		return err
	}
	begin, sum := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), cas.Sum([]byte("part"))
	_, _, err = w.reg.PublishDataset(ctx, manifest.Dataset{
		Name: "flights", Plan: sum, Spec: sum, Compiler: "test/1", Start: begin, End: begin.Add(time.Hour), Watermark: begin.Add(time.Hour),
		Rows: 2, Label: "late", Columns: []manifest.Column{
			{Name: "event_time", Type: manifest.Timestamp}, {Name: "delay", Type: manifest.Number}, {Name: "late", Type: manifest.Boolean},
		},
		Parts: []manifest.Part{{Key: "datasets/flights/p/part-0.parquet", Digest: sum, Bytes: 10, Rows: 2}},
	})
	return err
}

// client is a client of both planes that does not wait long.
func (w *world) client(change ...func(*client.Config)) *client.Client {
	cfg := client.Config{URL: w.url, PredictURL: w.data, Token: w.tokens[auth.Admin], Poll: time.Millisecond}
	for _, f := range change {
		f(&cfg)
	}
	c, err := client.New(cfg)
	if err != nil {
		return nil // its first use says so
	}
	return c
}

// wanted is a request that the world can serve.
func wanted() client.TrainRequest {
	return client.TrainRequest{
		ModelName: "flight-delay", Owner: "tests",
		Data: client.Data{
			Features: []client.Source{{Dataset: "flights@latest"}}, DateColumn: "event_time",
			Holdout: client.ByDate(client.DateRange{Last: "7d"}),
		},
		Train: client.Train{WorkflowName: "delay", ClassifierFeatures: []string{"delay"}, Label: "late"},
	}
}

// asJSON is for comparisons.
func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(err)
	}
	return string(b)
}
