package membucket_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/buckettest"
	"github.com/signalbox-ml/signalbox/registry/bucket/membucket"
)

func TestBucket(t *testing.T) {
	buckettest.TestBucket(t, func(*testing.T) bucket.Bucket { return membucket.New() })
}

func TestParentKeys(t *testing.T) {
	b := membucket.New()
	put := func(key string) error {
		_, err := b.Put(t.Context(), key, strings.NewReader("x"), 1, bucket.PutOptions{})
		return err
	}
	for _, c := range []struct {
		key  string
		want error
	}{
		{"a/b/c", nil},
		{"a/b/c", nil},
		{"a", membucket.ErrParentKey},
		{"a/b", membucket.ErrParentKey},
		{"a/b/c/d", membucket.ErrParentKey},
		{"a/b0", nil},
		{"a/bc/d", nil},
	} {
		if err := put(c.key); !errors.Is(err, c.want) {
			t.Errorf("put %s: got %v, want %v", c.key, err, c.want)
		}
	}
	for _, key := range []string{"a/b/c", "a/b0", "a/bc/d"} {
		if err := b.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	if err := put("a"); err != nil {
		t.Errorf("put a after its children are gone: %v", err)
	}
}
