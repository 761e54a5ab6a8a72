package cas_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/membucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

func TestFind(t *testing.T) {
	b := membucket.New()
	s := cas.NewStore(b)
	want, err := s.Push(t.Context(), "text/plain", []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	want.MediaType = ""
	if got, err := s.Find(t.Context(), want.Digest); err != nil || got != want {
		t.Errorf("Find = %+v, %v, want %+v", got, err, want)
	}
	if _, err := s.Find(t.Context(), cas.Sum([]byte("other"))); !errors.Is(err, bucket.ErrNotFound) {
		t.Errorf("Find of nothing: %v, want ErrNotFound", err)
	}
	if _, err := s.Find(t.Context(), cas.Digest{}); !errors.Is(err, cas.ErrBadDigest) {
		t.Errorf("Find of the zero digest: %v, want ErrBadDigest", err)
	}
	liar := cas.Sum([]byte("promised"))
	if _, err := b.Put(t.Context(), cas.BlobKey(liar, 0), bytes.NewReader([]byte("given")), 5, bucket.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Find(t.Context(), liar); !errors.Is(err, cas.ErrCorrupt) {
		t.Errorf("Find of other bytes: %v, want ErrCorrupt", err)
	}
}
