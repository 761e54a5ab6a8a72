package pgcatalog_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog/pgtest"
)

// setBlob plays the collector, which moves blobs through their states.
func setBlob(t *testing.T, url string, d cas.Digest, state string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	tag, err := conn.Exec(t.Context(), `UPDATE blob SET state = $2 WHERE digest = $1`, d.String(), state)
	if err != nil || tag.RowsAffected() != 1 {
		t.Fatalf("blob %s to %s: %v, %v", d, state, tag, err)
	}
}

func TestBlobLives(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	a, b := descriptor("a"), descriptor("bb")
	lease := func() []registry.Blob {
		t.Helper()
		got, err := db.Catalog.LeaseBlobs(t.Context(), []cas.Descriptor{a, b}, at(9))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for want, state := range []string{"staged", "deleting", "gone"} {
		if want > 0 {
			setBlob(t, db.URL, a.Digest, state)
		}
		got := lease()
		if got[0].Incarnation != want || got[0].Live || got[1].Incarnation != 0 {
			t.Errorf("leased when %s = %+v, want incarnation %d and 0", state, got, want)
		}
	}
	if _, err := db.Catalog.PutPackage(t.Context(), newPackage("p", a, b, a)); err != nil {
		t.Fatal(err)
	}
	if got := lease(); got[0].Incarnation != 2 || !got[0].Live {
		t.Errorf("published = %+v, want incarnation 2, live", got[0])
	}
	// A file that is in the package twice is one reference, and in the list twice.
	got := queryText(t, db.URL, `SELECT size || ':' || state || ':' || refs FROM blob ORDER BY size`)
	if want := "1:live:1|2:live:1"; got != want {
		t.Errorf("blobs = %s, want %s", got, want)
	}
	got = queryText(t, db.URL, `SELECT n || ':' || size || ':' || incarnation FROM package_blob ORDER BY n`)
	if want := "0:1:2|1:2:0|2:1:2"; got != want {
		t.Errorf("blobs of the package = %s, want %s", got, want)
	}
}

func TestMissingBlobs(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	there, deleting, gone, never := descriptor("there"), descriptor("deleting"), descriptor("gone"), descriptor("never")
	if _, err := db.Catalog.LeaseBlobs(t.Context(), []cas.Descriptor{there, deleting, gone}, at(9)); err != nil {
		t.Fatal(err)
	}
	setBlob(t, db.URL, deleting.Digest, "deleting")
	setBlob(t, db.URL, gone.Digest, "gone")
	_, err := db.Catalog.PutPackage(t.Context(), newPackage("p", there, deleting, gone, never, never))
	var missing *registry.MissingBlobs
	if !errors.As(err, &missing) || !errors.Is(err, registry.ErrBlobsMissing) {
		t.Fatalf("PutPackage: %v, want MissingBlobs", err)
	}
	if len(missing.Digests) != 3 || slices.Contains(missing.Digests, there.Digest) {
		t.Errorf("missing = %v, want three and not %s", missing.Digests, there.Digest)
	}
	if got := queryText(t, db.URL, `SELECT state || refs FROM blob ORDER BY state`); got != "deleting0|gone0|staged0" {
		t.Errorf("blobs after the refusal = %s", got)
	}
}

// TestBlobSize: a publisher who lies about a size must not keep an honest one out, nor change what is published.
func TestBlobSize(t *testing.T) {
	t.Parallel()
	c := pgtest.New(t).Catalog
	honest := descriptor("honest")
	liar := honest
	liar.Size = 1 << 40
	for _, tc := range []struct {
		d    cas.Descriptor
		want int64
	}{{liar, liar.Size}, {honest, honest.Size}} {
		got, err := c.LeaseBlobs(t.Context(), []cas.Descriptor{tc.d}, at(9))
		if err != nil || got[0].Size != tc.want {
			t.Errorf("leased with %d bytes = %+v, %v", tc.d.Size, got, err)
		}
	}
	if _, err := c.PutPackage(t.Context(), newPackage("p", honest)); err != nil {
		t.Fatal(err)
	}
	got, err := c.LeaseBlobs(t.Context(), []cas.Descriptor{liar}, at(9))
	if err != nil || got[0].Size != honest.Size || !got[0].Live {
		t.Errorf("live blob leased with a wrong size = %+v, %v, want the right one", got, err)
	}
}

// TestReferencesAddUp publishes packages that share blobs, in every order and at once.
func TestReferencesAddUp(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	shared := []cas.Descriptor{descriptor("one"), descriptor("two"), descriptor("three")}
	const packages = 12
	var wg sync.WaitGroup
	for i := range packages {
		wg.Go(func() {
			blobs := slices.Concat(shared[i%3:], shared[:i%3])
			if i%2 == 1 {
				slices.Reverse(blobs)
			}
			if _, err := db.Catalog.LeaseBlobs(t.Context(), blobs, at(9)); err != nil {
				t.Errorf("LeaseBlobs: %v", err)
			}
			if created, err := db.Catalog.PutPackage(t.Context(), newPackage(fmt.Sprint(i), blobs...)); err != nil || !created {
				t.Errorf("PutPackage = %v, %v", created, err)
			}
		})
	}
	wg.Wait()
	if got := queryText(t, db.URL, `SELECT DISTINCT state || refs FROM blob`); got != fmt.Sprintf("live%d", packages) {
		t.Errorf("blobs = %s, want live with %d references each", got, packages)
	}
}
