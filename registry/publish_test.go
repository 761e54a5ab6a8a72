package registry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

func TestMissingBlobs(t *testing.T) {
	b := newBench(t)
	there := must(b.store.Push(t.Context(), manifest.MediaWeight, []byte("there")))(t)
	gone := cas.Descriptor{MediaType: manifest.MediaWeight, Digest: cas.Sum([]byte("gone")), Size: 4}
	got, err := b.MissingBlobs(t.Context(), []cas.Descriptor{gone, there})
	if err != nil || len(got) != 2 {
		t.Fatalf("MissingBlobs = %+v, %v", got, err)
	}
	if got[0].Digest != gone.Digest || got[0].Present || got[0].Put == nil || !strings.Contains(got[0].Put.URL, cas.BlobKey(gone.Digest, 0)) ||
		!strings.Contains(got[0].Put.URL, "of 4 bytes "+gone.Digest.String()) {
		t.Errorf("missing blob = %+v", got[0])
	}
	if !got[1].Present || got[1].Put != nil {
		t.Errorf("present blob = %+v", got[1])
	}
	there.Size++
	_, err = b.MissingBlobs(t.Context(), []cas.Descriptor{there})
	wantInvalid(t, "another size than the blob has", err, "/blobs/0/size")
	_, err = b.MissingBlobs(t.Context(), []cas.Descriptor{{Size: 1}, {Digest: there.Digest, Size: -1}})
	wantInvalid(t, "no digest", err, "/blobs/0")
	wantInvalid(t, "negative size", err, "/blobs/1")
	_, err = b.MissingBlobs(t.Context(), make([]cas.Descriptor, 1002))
	wantInvalid(t, "too many", err, "at most")
}

func TestPublishPackage(t *testing.T) {
	b := newBench(t)
	m := b.files(t, "tree")
	id := cas.Sum(m)
	p, created, err := b.PublishPackage(t.Context(), id, m, "flight-delay", registry.RunID{})
	if err != nil || !created {
		t.Fatalf("PublishPackage = %v, %v", created, err)
	}
	if p.ID != id || p.Format != "lightgbm-text" || p.Model != "flight-delay" || len(p.Blobs) != 4 || p.Size == 0 {
		t.Errorf("package = %+v", p)
	}
	if ev := last[events.PackagePublished](t, b, events.TypePackagePublished); ev.Package != id.String() || ev.RunID != "" {
		t.Errorf("event = %+v", ev)
	}
	if _, created, err = b.PublishPackage(t.Context(), id, m, "flight-delay", registry.RunID{}); err != nil || created {
		t.Errorf("repeat = %v, %v", created, err)
	}
	if n := len(b.outbox(t)); n != 1 {
		t.Errorf("%d events after a repeat", n)
	}
	// The bucket alone has the manifest too.
	if got := must(b.store.Fetch(t.Context(), must(b.store.Find(t.Context(), id))(t)))(t); !bytes.Equal(got, m) {
		t.Errorf("the bucket has the manifest %s", got)
	}
	sig, err := b.Signature(t.Context(), id)
	if err != nil || sig.Model != "model.txt" {
		t.Errorf("signature = %+v, %v", sig, err)
	}
	files, err := b.SignPackage(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, f := range files {
		paths = append(paths, f.Path)
		if f.Get.URL != "signed:"+cas.BlobKey(f.Digest, 0) {
			t.Errorf("file = %+v", f)
		}
	}
	if !slices.Equal(paths, []string{"golden.jsonl", "model.txt", "signature.json"}) {
		t.Errorf("files = %q", paths)
	}
}

func TestPublishWithoutBlobs(t *testing.T) {
	b := newBench(t)
	m := b.files(t, "tree")
	lost := cas.Sum([]byte("tree"))
	if err := b.bucket.Delete(t.Context(), cas.BlobKey(lost, 0)); err != nil {
		t.Fatal(err)
	}
	_, _, err := b.PublishPackage(t.Context(), cas.Sum(m), m, "flight-delay", registry.RunID{})
	var missing *registry.MissingBlobs
	if !errors.As(err, &missing) || !slices.Equal(missing.Digests, []cas.Digest{lost}) || !errors.Is(err, registry.ErrBlobsMissing) {
		t.Fatalf("PublishPackage = %v, want the one missing blob", err)
	}
	if _, err := b.Package(t.Context(), cas.Sum(m)); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("half a package is visible: %v", err)
	}
	// Whatever sits there with other bytes is not taken for the blob.
	if _, err := b.bucket.Put(t.Context(), cas.BlobKey(lost, 0), strings.NewReader("evil"), 4, bucket.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, _, err = b.PublishPackage(t.Context(), cas.Sum(m), m, "flight-delay", registry.RunID{}); err == nil {
		t.Error("a package with a forged blob is published")
	}
	wantOutbox(t, b)
}

func TestPublishRefused(t *testing.T) {
	b, run := running(t)
	good := b.files(t, "tree")
	signature := func(change func(*manifest.Signature)) string {
		s := manifest.Signature{
			Runtime: manifest.RuntimeTrees, Format: manifest.FormatLightGBM, Model: "model.txt", Golden: "golden.jsonl",
			Inputs: []manifest.Column{{Name: "a", Type: manifest.Number}}, Outputs: []manifest.Column{{Name: "b", Type: manifest.Number}},
		}
		change(&s)
		return string(must(json.Marshal(s))(t))
	}
	pack := func(format, sig string) []byte {
		return b.pack(t, format, map[string]string{"signature.json": sig, "model.txt": "x", "golden.jsonl": "{}"})
	}
	before := len(b.outbox(t))
	for _, tc := range []struct {
		name  string
		b     []byte
		id    cas.Digest
		model registry.ModelName
		run   registry.RunID
		want  string
	}{
		{name: "another id", b: good, id: cas.Sum(nil), want: "hashes to"},
		{name: "no manifest", b: []byte("{}"), want: "canonical form"},
		{name: "bad model", b: good, model: "A B", want: "model"},
		{name: "another run's model", b: good, model: "other", run: run.ID, want: "trains the model flight-delay"},
		{name: "no signature", b: pack(manifest.FormatLightGBM, "{}"), want: "signature.json: "},
		{name: "signature is no JSON", b: pack(manifest.FormatLightGBM, "hello"), want: "signature.json: "},
		{name: "model file missing", b: pack(manifest.FormatLightGBM, signature(func(s *manifest.Signature) { s.Model = "nope.txt" })), want: "nope.txt"},
		{name: "another format", b: pack(manifest.FormatXGBoost, signature(func(*manifest.Signature) {})), want: "config's format"},
		{name: "large signature", b: pack(manifest.FormatLightGBM, strings.Repeat(" ", manifest.MaxSignature+1)), want: "at most"},
	} {
		if tc.id.IsZero() {
			tc.id = cas.Sum(tc.b)
		}
		if tc.model == "" {
			tc.model = "flight-delay"
		}
		_, _, err := b.PublishPackage(t.Context(), tc.id, tc.b, tc.model, tc.run)
		wantInvalid(t, tc.name, err, tc.want)
	}
	if _, _, err := b.PublishPackage(t.Context(), cas.Sum(good), good, "flight-delay", registry.RunID{1}); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("no run: %v, want ErrNotFound", err)
	}
	if n := len(b.outbox(t)); n != before {
		t.Errorf("%d events of refused packages", n-before)
	}
}

func TestPublishDataset(t *testing.T) {
	b := newBench(t)
	d := b.dataset(t, "flights", 0)
	ev := last[events.DatasetReady](t, b, events.TypeDatasetReady)
	if ev.Dataset != d.ID.String() || ev.Manifest != cas.BlobKey(d.ID, 0) || ev.Rows != 2 || ev.Generator != "test/1" || !ev.End.Equal(d.End) {
		t.Errorf("event = %+v", ev)
	}
	m, err := b.DatasetManifest(t.Context(), d.ID)
	if err != nil || m.Name != "flights" || len(m.Sources) != 1 {
		t.Errorf("manifest = %+v, %v", m, err)
	}
	if _, created, err := b.PublishDataset(t.Context(), m); err != nil || created {
		t.Errorf("repeat = %v, %v", created, err)
	}
	wantOutbox(t, b, "dataset.ready "+d.ID.String())
	m.Rows = 7
	_, _, err = b.PublishDataset(t.Context(), m)
	wantInvalid(t, "wrong sum of rows", err, "/rows")
	if _, err := b.DatasetManifest(t.Context(), cas.Sum(nil)); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("no dataset: %v, want ErrNotFound", err)
	}
}
