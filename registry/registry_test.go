package registry_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/membucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/registrytest"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// signer writes down what it is asked to sign: the tests of real signatures are the buckets'.
type signer struct{}

func (signer) SignGet(_ context.Context, key string, ttl time.Duration) (bucket.Signed, error) {
	return bucket.Signed{Method: "GET", URL: "signed:" + key, Expires: time.Now().Add(ttl)}, nil
}

func (signer) SignPut(_ context.Context, key string, sum [32]byte, size int64, ttl time.Duration) (bucket.Signed, error) {
	return bucket.Signed{Method: "PUT", URL: fmt.Sprintf("signed:%s of %d bytes %s", key, size, cas.Digest(sum)), Expires: time.Now().Add(ttl)}, nil
}

// bench is a registry with everything behind it.
type bench struct {
	*registry.Registry
	catalog *registrytest.Memory
	bucket  *membucket.Bucket
	store   *cas.Store
}

func newBench(t *testing.T, change ...func(*registry.Config)) bench {
	t.Helper()
	b := bench{catalog: registrytest.NewMemory(), bucket: membucket.New()}
	b.store = cas.NewStore(b.bucket)
	cfg := registry.Config{Catalog: b.catalog, Store: b.store, Signer: signer{}}
	for _, f := range change {
		f(&cfg)
	}
	r, err := registry.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	b.Registry = r
	return b
}

// outbox returns "<type without prefix> <id>" of every event.
func (b bench) outbox(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, ev := range b.events(t) {
		out = append(out, strings.TrimPrefix(ev.Type(), "dev.signalbox.")+" "+ev.ID())
	}
	return out
}

func (b bench) events(t *testing.T) []events.Event {
	t.Helper()
	evs, err := b.catalog.PendingEvents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return evs
}

// last decodes the data of the newest event, which must be of type typ.
func last[T any](t *testing.T, b bench, typ string) T {
	t.Helper()
	evs := b.events(t)
	var v T
	if len(evs) == 0 || evs[len(evs)-1].Type() != typ {
		t.Fatalf("the newest event of %q is no %s", b.outbox(t), typ)
	}
	if err := evs[len(evs)-1].DataAs(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func wantOutbox(t *testing.T, b bench, want ...string) {
	t.Helper()
	if got := b.outbox(t); !slices.Equal(got, want) {
		t.Errorf("outbox = %q, want %q", got, want)
	}
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

func wantInvalid(t *testing.T, what string, err error, words string) {
	t.Helper()
	if !errors.Is(err, registry.ErrInvalid) || !strings.Contains(err.Error(), words) {
		t.Errorf("%s: %v, want an ErrInvalid that says %s", what, err, words)
	}
}

const workflowYAML = `apiVersion: signalbox.dev/v1
kind: Workflow
metadata: {name: flight-delay}
spec:
  entrypoint: delay:FlightDelay
  files: {delay.py: {content: "class FlightDelay: pass\n"}}
`

func (b bench) apply(t *testing.T, yaml string) []registry.Applied {
	t.Helper()
	docs := must(spec.Parse([]byte(yaml)))(t)
	return must(b.Apply(t.Context(), docs, false))(t)
}

// dataset publishes one of its own for every name and hour.
func (b bench) dataset(t *testing.T, name string, hour int) registry.Dataset {
	t.Helper()
	start := time.Date(2026, 1, 1, hour, 0, 0, 0, time.UTC)
	sum := cas.Sum([]byte(name + start.String()))
	d, created, err := b.PublishDataset(t.Context(), manifest.Dataset{
		Name: name, Plan: sum, Spec: cas.Sum([]byte("spec")), Compiler: "test/1", Start: start, End: start.Add(time.Hour),
		Watermark: start.Add(time.Hour), Rows: 2, Columns: []manifest.Column{{Name: "delay", Type: manifest.Number},
			{Name: "late", Type: manifest.Boolean}}, Label: "late",
		Parts: []manifest.Part{{Key: "datasets/p/part-0.parquet", Digest: sum, Bytes: 10, Rows: 2}},
		Sources: []manifest.Source{{Key: "archive/a.parquet", Digest: sum, Topic: "events.flights", TopicID: "00ff", Partition: 1,
			Start: 5, End: 9, Rows: 4}},
	})
	if err != nil || !created {
		t.Fatalf("publish dataset: %v, %v", created, err)
	}
	return d
}

// files puts a small package's blobs into the bucket and returns its manifest bytes. Different text, different package.
func (b bench) files(t *testing.T, text string) []byte {
	t.Helper()
	sig := must(json.Marshal(manifest.Signature{
		Runtime: manifest.RuntimeTrees, Format: manifest.FormatLightGBM, Model: "model.txt", Golden: "golden.jsonl",
		Inputs: []manifest.Column{{Name: "delay", Type: manifest.Number}}, Outputs: []manifest.Column{{Name: "late", Type: manifest.Number}},
	}))(t)
	return b.pack(t, manifest.FormatLightGBM, map[string]string{"model.txt": text, "signature.json": string(sig), "golden.jsonl": "{}"})
}

func (b bench) pack(t *testing.T, format string, files map[string]string) []byte {
	t.Helper()
	var p manifest.Package
	for path, content := range files {
		d := must(b.store.Push(t.Context(), manifest.MediaWeight, []byte(content)))(t)
		p.Layers = append(p.Layers, manifest.Layer{Path: path, Descriptor: d})
	}
	config := must(manifest.EncodeConfig(format, p.Layers))(t)
	p.Config = must(b.store.Push(t.Context(), manifest.MediaConfig, config))(t)
	return must(p.Encode())(t)
}

// publish publishes a package by hand.
func (b bench) publish(t *testing.T, text string) registry.Package {
	t.Helper()
	m := b.files(t, text)
	p, created, err := b.PublishPackage(t.Context(), cas.Sum(m), m, "flight-delay", registry.RunID{})
	if err != nil || !created {
		t.Fatalf("publish: %v, %v", created, err)
	}
	return p
}

func TestNew(t *testing.T) {
	_, err := registry.New(registry.Config{Lease: -1})
	for _, want := range []string{"catalog", "store", "signer", "lease"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("an empty config gives %v, want %s in it", err, want)
		}
	}
}
