package registrytest

import (
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

func blob(s string) cas.Descriptor {
	return cas.Descriptor{MediaType: "application/octet-stream", Digest: digest(s), Size: int64(len(s))}
}

// newPackage has two blobs, one of them shared by every package.
func newPackage(name string, n int) registry.Package {
	b := []byte(`{"manifest":   "` + name + `"}`)
	return registry.Package{
		ID: cas.Sum(b), Manifest: b, Model: "fraud", Format: "lightgbm-text", Size: 42, Created: at(n),
		Blobs: []cas.Descriptor{blob("weights of " + name), blob("shared")},
	}
}

func lease(t *testing.T, c registry.Catalog, blobs ...cas.Descriptor) []registry.Blob {
	t.Helper()
	got, err := c.LeaseBlobs(t.Context(), blobs, at(59))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func testLeaseBlobs(t *testing.T, c registry.Catalog) {
	asked := []cas.Descriptor{blob("b"), blob("a"), blob("c")}
	first, err := c.LeaseBlobs(t.Context(), asked, at(30))
	if err != nil || len(first) != 3 {
		t.Fatalf("LeaseBlobs = %d blobs, %v", len(first), err)
	}
	for i, b := range first {
		if b.Descriptor != asked[i] || b.Live || !b.LeasedUntil.Equal(at(30)) {
			t.Errorf("blob %d = %+v, want %+v leased until %v", i, b, asked[i], at(30))
		}
	}
	// A shorter lease leaves the longer one; the same blob under another media type is the same blob.
	asked[0].MediaType = "text/plain"
	again, err := c.LeaseBlobs(t.Context(), asked[:1], at(10))
	if err != nil || len(again) != 1 {
		t.Fatalf("LeaseBlobs = %d blobs, %v", len(again), err)
	}
	if b := again[0]; b.Descriptor != asked[0] || b.Incarnation != first[0].Incarnation || !b.LeasedUntil.Equal(at(30)) {
		t.Errorf("leased again = %+v, want incarnation %d until %v", b, first[0].Incarnation, at(30))
	}
	if longer := lease(t, c, asked[0]); !longer[0].LeasedUntil.Equal(at(59)) {
		t.Errorf("longer lease until %v, want %v", longer[0].LeasedUntil, at(59))
	}
	if none, err := c.LeaseBlobs(t.Context(), nil, at(1)); err != nil || len(none) != 0 {
		t.Errorf("LeaseBlobs of nothing = %v, %v", none, err)
	}
}

func testPutPackage(t *testing.T, c registry.Catalog) {
	want := newPackage("a", 1)
	lease(t, c, want.Blobs...)
	if created, err := c.PutPackage(t.Context(), want, event(t, "e1")); err != nil || !created {
		t.Fatalf("PutPackage = %v, %v", created, err)
	}
	got, err := c.Package(t.Context(), want.ID)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "package", got, want)
	if string(got.Manifest) != string(want.Manifest) {
		t.Errorf("manifest = %s, want its exact bytes: %s", got.Manifest, want.Manifest)
	}
	for _, b := range lease(t, c, append(want.Blobs, blob("else"))...) {
		if live := b.Digest != digest("else"); b.Live != live {
			t.Errorf("blob %s is live: %v, want %v", b.Digest, b.Live, live)
		}
	}

	// The first publisher's words stay.
	repeat := want
	repeat.Model, repeat.Created = "other", at(9)
	if created, err := c.PutPackage(t.Context(), repeat, event(t, "e2")); err != nil || created {
		t.Errorf("repeat = %v, %v, want false", created, err)
	}
	got, err = c.Package(t.Context(), want.ID)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "package after a repeat", got, want)
	wantOutbox(t, c, "e1")
	if _, err := c.Package(t.Context(), digest("none")); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("unknown package: %v, want ErrNotFound", err)
	}
}

func testPutPackageWithoutBlobs(t *testing.T, c registry.Catalog) {
	p := newPackage("a", 1)
	lease(t, c, p.Blobs[1])
	if _, err := c.PutPackage(t.Context(), p, event(t, "never")); !errors.Is(err, registry.ErrBlobsMissing) {
		t.Errorf("PutPackage: %v, want ErrBlobsMissing", err)
	}
	if _, err := c.Package(t.Context(), p.ID); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("half a package is visible: %v", err)
	}
	if b := lease(t, c, p.Blobs[1])[0]; b.Live {
		t.Error("a blob of a refused package is live")
	}
	wantOutbox(t, c)
	lease(t, c, p.Blobs...)
	if created, err := c.PutPackage(t.Context(), p, event(t, "e1")); err != nil || !created {
		t.Errorf("PutPackage once leased = %v, %v", created, err)
	}
	wantOutbox(t, c, "e1")
}

// testPutPackageOnce races publishers whose packages share blobs in opposite orders: a store that locks rows in the
// order of the request deadlocks here.
func testPutPackageOnce(t *testing.T, c registry.Catalog) {
	a, b := newPackage("a", 1), newPackage("b", 2)
	b.Blobs = []cas.Descriptor{a.Blobs[1], a.Blobs[0]}
	lease(t, c, a.Blobs...)
	var made [2]atomic.Int32
	race(func(i int) {
		p, id := a, "a"
		if i%2 == 1 {
			p, id = b, "b"
		}
		created, err := c.PutPackage(t.Context(), p, event(t, id))
		if err != nil {
			t.Errorf("PutPackage: %v", err)
		}
		if created {
			made[i%2].Add(1)
		}
	})
	if made[0].Load() != 1 || made[1].Load() != 1 || len(pending(t, c)) != 2 {
		t.Errorf("created %d and %d times with %d events, want 1, 1 and 2", made[0].Load(), made[1].Load(), len(pending(t, c)))
	}
}

func testListPackages(t *testing.T, c registry.Catalog) {
	names := []string{"b", "a", "c"}
	for i, name := range names {
		p := newPackage(name, i)
		if name == "c" {
			p.Model = "other"
		}
		lease(t, c, p.Blobs...)
		if _, err := c.PutPackage(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name string
		f    registry.PackageFilter
		want []string
	}{
		{"all, newest first", registry.PackageFilter{}, []string{"c", "a", "b"}},
		{"limit", registry.PackageFilter{Limit: 1}, []string{"c"}},
		{"model", registry.PackageFilter{Model: "fraud"}, []string{"a", "b"}},
		{"none", registry.PackageFilter{Model: "nobody"}, nil},
	} {
		got, err := c.ListPackages(t.Context(), tc.f)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(tc.want) {
			t.Errorf("%s: %d packages, want %d", tc.name, len(got), len(tc.want))
			continue
		}
		for i, name := range tc.want {
			if got[i].ID != newPackage(name, 0).ID || len(got[i].Blobs) != 2 {
				t.Errorf("%s: package %d = %+v, want %s with 2 blobs", tc.name, i, got[i], name)
			}
		}
	}
}

func testAttest(t *testing.T, c registry.Catalog) {
	attest := func(subject, typ, body string, n int, ev string) bool {
		a := registry.Attestation{Subject: digest(subject), Type: typ, ID: digest(body), Body: json.RawMessage(body), Created: at(n)}
		created, err := c.Attest(t.Context(), a, event(t, ev))
		if err != nil {
			t.Fatal(err)
		}
		return created
	}
	if !attest("p", registry.AttestProvenance, `{"by":   "b"}`, 1, "e1") || !attest("p", registry.AttestEvaluation, `{"by":"a"}`, 2, "e2") ||
		!attest("q", registry.AttestEvaluation, `{"by":"a"}`, 3, "e3") {
		t.Error("a new statement was taken for a repeat")
	}
	if attest("p", registry.AttestProvenance, `{"by":   "b"}`, 4, "e4") {
		t.Error("the same statement was made twice")
	}
	wantOutbox(t, c, "e1", "e2", "e3")
	got, err := c.ListAttestations(t.Context(), digest("p"))
	if err != nil || len(got) != 2 {
		t.Fatalf("ListAttestations = %d, %v, want 2", len(got), err)
	}
	if string(got[0].Body) != `{"by":   "b"}` || got[0].Type != registry.AttestProvenance || !got[0].Created.Equal(at(1)) ||
		got[1].ID != digest(`{"by":"a"}`) || got[1].Subject != digest("p") {
		t.Errorf("ListAttestations = %+v, want the first statements, oldest first", got)
	}
	if got, err := c.ListAttestations(t.Context(), digest("none")); err != nil || len(got) != 0 {
		t.Errorf("nothing said = %v, %v", got, err)
	}
}

func testDatasets(t *testing.T, c registry.Catalog) {
	mk := func(name, plan string, n int) registry.Dataset {
		b := []byte(`{"name":  "` + name + plan + `"}`)
		return registry.Dataset{
			ID: cas.Sum(b), Name: name, Manifest: b, Key: "blobs/" + plan, Plan: digest(plan), Spec: digest("spec"), Rows: 7,
			Start: at(0), End: at(1), Watermark: at(2), Created: at(n),
		}
	}
	all := []registry.Dataset{mk("flights", "p2", 1), mk("flights", "p1", 2), mk("users", "p3", 3)}
	for i, d := range all {
		if created, err := c.PutDataset(t.Context(), d, event(t, string(rune('0'+i)))); err != nil || !created {
			t.Fatalf("PutDataset = %v, %v", created, err)
		}
		if created, err := c.PutDataset(t.Context(), d, event(t, "never")); err != nil || created {
			t.Fatalf("repeat = %v, %v, want false", created, err)
		}
	}
	wantOutbox(t, c, "0", "1", "2")
	got, err := c.Dataset(t.Context(), all[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "dataset", got, all[0])
	if string(got.Manifest) != string(all[0].Manifest) {
		t.Errorf("manifest = %s, want its exact bytes", got.Manifest)
	}
	if _, err := c.Dataset(t.Context(), digest("none")); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("unknown dataset: %v, want ErrNotFound", err)
	}
	for _, tc := range []struct {
		name string
		f    registry.DatasetFilter
		want []int
	}{
		{"all, newest first", registry.DatasetFilter{}, []int{2, 1, 0}},
		{"name", registry.DatasetFilter{Name: "flights"}, []int{1, 0}},
		{"latest", registry.DatasetFilter{Name: "flights", Limit: 1}, []int{1}},
		{"plan", registry.DatasetFilter{Plan: digest("p2")}, []int{0}},
		{"none", registry.DatasetFilter{Name: "nobody"}, nil},
	} {
		got, err := c.ListDatasets(t.Context(), tc.f)
		if err != nil {
			t.Fatal(err)
		}
		var ids, want []cas.Digest
		for _, d := range got {
			ids = append(ids, d.ID)
		}
		for _, i := range tc.want {
			want = append(want, all[i].ID)
		}
		equal(t, tc.name, ids, want)
	}
}
