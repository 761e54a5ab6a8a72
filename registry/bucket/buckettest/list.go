package buckettest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/signalbox-ml/signalbox/registry/bucket"
)

func testList(t *testing.T, b bucket.Bucket) {
	// In byte order, which is not the order of a walk through folders: '-' and '.' come before '/'.
	keys := []string{"A", "a-b", "a.d/x", "a/b-c", "a/b.c/d", "a/b/c", "a/b0", "a0", "b", "ü"}
	for i := range keys {
		put(t, b, keys[len(keys)-1-i], "body", bucket.PutOptions{})
	}
	for _, c := range []struct {
		prefix string
		want   []string
	}{
		{"", keys},
		{"a", keys[1:8]},
		{"a/", keys[3:7]},
		{"a/b", keys[3:7]},
		{"a/b/", keys[5:6]},
		{"a/b/c", keys[5:6]},
		{"a/b/c/", nil},
		{"ü", keys[9:]},
		{"nothing/", nil},
	} {
		if got := list(t, b, c.prefix); !slices.Equal(got, c.want) {
			t.Errorf("list %q:\n got %q\nwant %q", c.prefix, got, c.want)
		}
	}
	for a, err := range b.List(t.Context(), "a/b/") {
		if err != nil || a.Size != 4 || a.SHA256 != [32]byte{} || a.Modified.IsZero() {
			t.Errorf("list yields %+v, %v", a, err)
		}
	}
	for range b.List(t.Context(), "") { // the consumer may leave
		break
	}
}

// testPages lists more objects than any server returns at once.
func testPages(t *testing.T, b bucket.Bucket) {
	const n = 1100
	want := make([]string, n)
	g, ctx := errgroup.WithContext(t.Context())
	g.SetLimit(16)
	for i := range want {
		want[i] = fmt.Sprintf("p/%d/%04d", i/300, i)
		g.Go(func() error {
			_, err := b.Put(ctx, want[i], strings.NewReader("x"), 1, bucket.PutOptions{})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	put(t, b, "q", "x", bucket.PutOptions{})
	if got := list(t, b, "p/"); !slices.Equal(got, want) {
		t.Errorf("listed %d keys, want %d in order", len(got), n)
	}
}

func list(t *testing.T, b bucket.Bucket, prefix string) []string {
	t.Helper()
	var keys []string
	for a, err := range b.List(t.Context(), prefix) {
		if err != nil {
			t.Fatalf("list %q: %v", prefix, err)
		}
		keys = append(keys, a.Key)
	}
	return keys
}
