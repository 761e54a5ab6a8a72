package registryapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket/gateway/gatewaytest"
	"github.com/signalbox-ml/signalbox/registry/bucket/s3bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog/pgtest"
	"github.com/signalbox-ml/signalbox/registry/remote"
	"github.com/signalbox-ml/signalbox/registry/spec"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
	"github.com/signalbox-ml/signalbox/services/registryapi"
)

func TestMain(m *testing.M) { gatewaytest.Main(m) }

// topicless stands in for the log: the test declares no stream.
type topicless struct{}

func (topicless) EnsureTopics(context.Context, []events.TopicSpec) error { return nil }

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

// stack is the API over PostgreSQL and an S3 server.
type stack struct {
	t      *testing.T
	url    string
	token  string
	ledger ledger.Ledger
	bucket *s3bucket.Bucket
	client *remote.Client
}

func newStack(t *testing.T) *stack {
	t.Helper()
	s := &stack{t: t, bucket: gatewaytest.Bucket(t)}
	catalog := pgtest.New(t).Catalog
	s.ledger = catalog.Ledger()
	reg := must(registry.New(registry.Config{Catalog: catalog, Store: cas.NewStore(s.bucket), Signer: s.bucket}))(t)
	api := must(registryapi.New(registryapi.Config{Registry: reg, Ledger: s.ledger, Bucket: s.bucket, Topics: topicless{}}))(t)
	text, tok, err := auth.NewToken("root", auth.Admin)
	if err != nil {
		t.Fatal(err)
	}
	s.token = text
	who := must(auth.New([]auth.Token{tok}, []byte(strings.Repeat("k", 32))))(t)
	rt := must(httpapi.NewRouter(httpapi.Config{Auth: who}))(t)
	api.Routes(rt)
	srv := httptest.NewServer(rt)
	t.Cleanup(srv.Close)
	s.url = srv.URL
	s.client = must(remote.New(remote.Config{URL: srv.URL, Token: text}))(t)
	return s
}

// send sends a request and returns the answer, which must have this status.
func (s *stack) send(r *http.Request, status int) []byte {
	s.t.Helper()
	resp := must(http.DefaultClient.Do(r))(s.t)
	b, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil || resp.StatusCode != status {
		s.t.Fatalf("%s %s: %d, want %d: %s, %v", r.Method, r.URL.Path, resp.StatusCode, status, b, err)
	}
	return b
}

func (s *stack) call(method, path string, body string, status int, headers ...string) []byte {
	s.t.Helper()
	r := must(http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body)))(s.t)
	r.Header.Set("Authorization", "Bearer "+s.token)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return s.send(r, status)
}

// publish brings a package in through signed writes, as anybody with HTTP can.
func (s *stack) publish() cas.Digest {
	s.t.Helper()
	sig := must(json.Marshal(manifest.Signature{
		Runtime: manifest.RuntimeTrees, Format: manifest.FormatLightGBM, Model: "model.txt", Golden: "golden.jsonl",
		Inputs: []manifest.Column{{Name: "delay", Type: manifest.Number}}, Outputs: []manifest.Column{{Name: "late", Type: manifest.Number}},
	}))(s.t)
	var m manifest.Package
	content := map[cas.Digest]string{}
	for path, text := range map[string]string{"model.txt": "tree", "signature.json": string(sig), "golden.jsonl": "{}"} {
		d := cas.Descriptor{MediaType: manifest.MediaWeight, Digest: cas.Sum([]byte(text)), Size: int64(len(text))}
		m.Layers, content[d.Digest] = append(m.Layers, manifest.Layer{Path: path, Descriptor: d}), text
	}
	config := must(manifest.EncodeConfig(manifest.FormatLightGBM, m.Layers))(s.t)
	m.Config = cas.Descriptor{MediaType: manifest.MediaConfig, Digest: cas.Sum(config), Size: int64(len(config))}
	content[m.Config.Digest] = string(config)

	var missing struct{ Blobs []registry.BlobUpload }
	ask := must(json.Marshal(map[string]any{"blobs": m.Blobs()}))(s.t)
	if err := json.Unmarshal(s.call("POST", "/v1/blobs:missing", string(ask), http.StatusOK), &missing); err != nil || len(missing.Blobs) != 4 {
		s.t.Fatalf("missing %+v, %v", missing, err)
	}
	for _, up := range missing.Blobs {
		s.send(must(up.Put.Request(s.t.Context(), strings.NewReader(content[up.Digest])))(s.t), http.StatusOK)
	}
	b := must(m.Encode())(s.t)
	id := cas.Sum(b)
	s.call("PUT", "/v1/packages/"+id.String(), string(b), http.StatusCreated, "Signalbox-Model", "flights")
	s.call("PUT", "/v1/packages/"+id.String(), string(b), http.StatusOK, "Signalbox-Model", "flights")
	return id
}

// archive writes one prediction through the archiver.
func (s *stack) archive(id uuid.UUID, pkg cas.Digest) {
	s.t.Helper()
	ev := must(events.New(events.TypePredictionMade, "/predict", id.String(), id.String(), time.Now(), events.PredictionMade{
		PredictionID: id.String(), Model: "flights", Package: pkg.String(), Output: []byte(`{}`)}))(s.t)
	r := must(kafka.Encode(ev))(s.t)
	r.Offset, r.AppendTime = 41, time.Now().UTC().Truncate(time.Millisecond)
	a := must(archive.New(archive.Config{Ledger: s.ledger, Bucket: s.bucket, Owner: "test", Source: "/test"}))(s.t)
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	tp := events.TopicPartition{TopicID: uuid.New(), Topic: events.TopicPredictions, Partition: 1}
	must(a.Assigned(ctx, tp))(s.t)
	if err := a.Records(ctx, tp, []events.Record{r}, 42, 42); err != nil {
		s.t.Fatal(err)
	}
	a.Revoked(ctx, tp)
	cancel()
	if err := <-done; err != nil {
		s.t.Fatal(err)
	}
}

// The same calls on what a deployment runs on: PostgreSQL, and S3 whose signatures are real.
func TestOnPostgresAndS3(t *testing.T) {
	s := newStack(t)
	ctx := t.Context()
	pkg := s.publish()
	files := must(s.client.PackageFiles(ctx, pkg))(t)
	for _, f := range files.Files {
		body := must(s.client.Fetch(ctx, f.Get))(t)
		b, err := io.ReadAll(body)
		if err := errors.Join(err, body.Close()); err != nil || cas.Sum(b) != f.Digest {
			t.Errorf("%s: %d bytes, %v", f.Path, len(b), err)
		}
	}
	tag := registry.Tag{Model: "flights", Name: "production"}
	move := registry.TagMove{Tag: tag, Arms: registry.One(pkg), Reason: "first", Op: "k"}
	for range 2 { // the second is the repeat of one whose answer was lost
		if st := must(s.client.MoveTag(ctx, move))(t); st.Generation != 1 || st.Actor != "root" {
			t.Errorf("moved to %+v", st)
		}
	}
	move.Op = ""
	if st, err := s.client.MoveTag(ctx, move); !errors.Is(err, registry.ErrTagMoved) || st.Generation != 1 {
		t.Errorf("moved again: %+v, %v", st, err)
	}
	docs := must(spec.Parse([]byte("apiVersion: signalbox.dev/v1\nkind: Stream\nmetadata: {name: flights}\nspec: {types: {t: {schema: {}}}}\n")))(t)
	for _, want := range []string{registry.ApplyCreated, registry.ApplyUnchanged} {
		if got := must(s.client.Apply(ctx, docs, false))(t); got[0].Result != want || got[0].Generation != 1 {
			t.Errorf("applied %+v, want %s", got, want)
		}
	}
	id := must(uuid.NewV7())(t)
	if _, err := s.client.PredictionLineage(ctx, id.String()); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("before it is archived: %v", err)
	}
	s.archive(id, pkg)
	if l := must(s.client.PredictionLineage(ctx, id.String()))(t); l.Prediction.Offset != 41 || l.Prediction.Partition != 1 || l.Package.ID != pkg {
		t.Errorf("lineage %+v", l)
	}
	topics := must(s.client.Archive(ctx, events.TopicPredictions))(t)
	if len(topics) != 1 || topics[0].Partitions[0].Next != 42 || topics[0].Partitions[0].Rows != 1 || topics[0].Partitions[0].Files != 1 {
		t.Errorf("archive %+v", topics)
	}
}
