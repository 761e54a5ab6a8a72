package cas_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/buckettest"
	"github.com/signalbox-ml/signalbox/registry/bucket/membucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

func TestBlobKey(t *testing.T) {
	d, err := cas.Parse(golden)
	if err != nil {
		t.Fatal(err)
	}
	for incarnation, want := range map[int]string{
		0:  "blobs/sha256/FD/" + golden,
		1:  "blobs/sha256/FD/" + golden + ".1",
		12: "blobs/sha256/FD/" + golden + ".12",
	} {
		if got := cas.BlobKey(d, incarnation); got != want || bucket.CheckKey(got) != nil {
			t.Errorf("incarnation %d: got %s, want %s", incarnation, got, want)
		}
	}
}

func TestPushThenFetch(t *testing.T) {
	b := membucket.New()
	s := cas.NewStore(b)
	for _, body := range []string{"", "x", strings.Repeat("model ", 100_000)} {
		for range 2 { // again is no error
			d, err := s.Push(t.Context(), "text/x", []byte(body))
			if err != nil {
				t.Fatal(err)
			}
			if want := (cas.Descriptor{MediaType: "text/x", Digest: cas.Sum([]byte(body)), Size: int64(len(body))}); d != want {
				t.Fatalf("got %+v, want %+v", d, want)
			}
			if err = s.Stat(t.Context(), d); err != nil {
				t.Error(err)
			}
			if got, err := s.Fetch(t.Context(), d); err != nil || string(got) != body {
				t.Errorf("fetched %d bytes, want %d: %v", len(got), len(body), err)
			}
		}
	}
}

func TestPushFrom(t *testing.T) {
	b := buckettest.NewFaulty(membucket.New())
	s := cas.NewStore(b)
	body := []byte("the bytes of a blob")
	d := cas.Descriptor{Digest: cas.Sum(body), Size: int64(len(body))}
	for name, c := range map[string]struct {
		d    cas.Descriptor
		body string
		want error
	}{
		"other bytes":     {d, "the bytes of a blub", cas.ErrCorrupt},
		"too short":       {d, "the bytes of a blo", cas.ErrCorrupt},
		"too long":        {d, "the bytes of a blob.", cas.ErrCorrupt},
		"wrong size":      {cas.Descriptor{Digest: d.Digest, Size: d.Size + 1}, string(body), cas.ErrCorrupt},
		"no digest":       {cas.Descriptor{Size: d.Size}, string(body), cas.ErrBadDigest},
		"a negative size": {cas.Descriptor{Digest: d.Digest, Size: -1}, string(body), cas.ErrBadDigest},
	} {
		if err := s.PushFrom(t.Context(), c.d, strings.NewReader(c.body)); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	if n := len(b.Calls()); n != 0 {
		t.Errorf("%d requests were sent for refused blobs", n)
	}
	for range 2 {
		if err := s.PushFrom(t.Context(), d, bytes.NewReader(body)); err != nil {
			t.Error(err)
		}
	}
	if got, err := s.Fetch(t.Context(), d); err != nil || !bytes.Equal(got, body) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestPushIsNotFooledByAnOccupiedKey(t *testing.T) {
	b := membucket.New()
	body := []byte("the right bytes")
	if _, err := b.Put(t.Context(), cas.BlobKey(cas.Sum(body), 0), strings.NewReader("the wrong bytes"), 15, bucket.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := cas.NewStore(b).Push(t.Context(), "", body); !errors.Is(err, cas.ErrCorrupt) {
		t.Errorf("got %v, want %v", err, cas.ErrCorrupt)
	}
}

func TestPushAfterALostAnswer(t *testing.T) {
	lost := errors.New("connection reset")
	b := buckettest.NewFaulty(membucket.New(), buckettest.Fault{Op: buckettest.Put, Err: lost, After: true})
	s := cas.NewStore(b)
	if _, err := s.Push(t.Context(), "", []byte("x")); !errors.Is(err, lost) {
		t.Fatalf("got %v, want %v", err, lost)
	}
	if d, err := s.Push(t.Context(), "", []byte("x")); err != nil || s.Stat(t.Context(), d) != nil {
		t.Errorf("the retry: %v", err)
	}
}

// TestEveryDamageIsRefused flips each bit of each byte, cuts at every length and appends, behind the back of the store.
func TestEveryDamageIsRefused(t *testing.T) {
	body := []byte("every one of these bytes counts")
	d := cas.Descriptor{Digest: cas.Sum(body), Size: int64(len(body))}
	damaged := map[string][]byte{"one more": append(bytes.Clone(body), 'x'), "twice": append(bytes.Clone(body), body...)}
	for i := range body {
		for bit := range 8 {
			flipped := bytes.Clone(body)
			flipped[i] ^= 1 << bit
			damaged["flip "+string(rune('0'+bit))+" at "+string(body[:i])] = flipped
		}
		damaged["cut after "+string(body[:i])] = body[:i]
	}
	for name, bad := range damaged {
		stored := membucket.New()
		if _, err := stored.Put(t.Context(), cas.BlobKey(d.Digest, 0), bytes.NewReader(bad), int64(len(bad)), bucket.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		wantCorrupt(t, name+", at rest", cas.NewStore(stored), d)
		if err := cas.NewStore(stored).Stat(t.Context(), d); !errors.Is(err, cas.ErrCorrupt) {
			t.Errorf("%s: stat: got %v, want %v", name, err, cas.ErrCorrupt)
		}

		sent := membucket.New()
		if _, err := cas.NewStore(sent).Push(t.Context(), "", body); err != nil {
			t.Fatal(err)
		}
		wantCorrupt(t, name+", on the wire", cas.NewStore(buckettest.NewFaulty(sent, buckettest.Fault{
			Op: buckettest.Get, Times: 3, Mangle: func([]byte) []byte { return bad },
		})), d)
	}
}

// wantCorrupt reads d in three ways, none of which may get all of its bytes without an error.
func wantCorrupt(t *testing.T, name string, s *cas.Store, d cas.Descriptor) {
	t.Helper()
	if got, err := s.Fetch(t.Context(), d); !errors.Is(err, cas.ErrCorrupt) || got != nil {
		t.Errorf("%s: fetched %q, %v", name, got, err)
	}
	for what, readAll := range map[string]func(io.Reader) error{
		"byte by byte": func(r io.Reader) error { _, err := io.ReadAll(iotest.OneByteReader(r)); return err },
		"exactly size": func(r io.Reader) error { _, err := io.ReadFull(r, make([]byte, d.Size)); return err },
	} {
		r, err := s.Open(t.Context(), d)
		if err == nil {
			err = readAll(r)
			if again, more := r.Read(make([]byte, 1)); again != 0 || more == nil || more == io.EOF {
				t.Errorf("%s, %s: after the error comes %d, %v", name, what, again, more)
			}
			r.Close()
		}
		if !errors.Is(err, cas.ErrCorrupt) {
			t.Errorf("%s, %s: got %v, want %v", name, what, err, cas.ErrCorrupt)
		}
	}
}

func TestOpenReadsLikeAnyReader(t *testing.T) {
	body := []byte(strings.Repeat("0123456789", 50))
	s := cas.NewStore(membucket.New())
	d, err := s.Push(t.Context(), "", body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Open(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err = iotest.TestReader(r, body); err != nil {
		t.Error(err)
	}
}

func TestABrokenConnectionIsNoVerdict(t *testing.T) {
	broken := errors.New("connection reset")
	b := buckettest.NewFaulty(membucket.New(), buckettest.Fault{Op: buckettest.Get, Err: broken, After: true})
	s := cas.NewStore(b)
	d, err := s.Push(t.Context(), "", []byte("0123456789"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = s.Fetch(t.Context(), d); !errors.Is(err, broken) || errors.Is(err, cas.ErrCorrupt) {
		t.Errorf("got %v, want %v", err, broken)
	}
	if _, err = s.Fetch(t.Context(), d); err != nil {
		t.Errorf("the second try: %v", err)
	}
}

func TestRefusedReads(t *testing.T) {
	s := cas.NewStore(membucket.New())
	absent := cas.Descriptor{Digest: cas.Sum([]byte("x")), Size: 1}
	if _, err := s.Fetch(t.Context(), absent); !errors.Is(err, bucket.ErrNotFound) {
		t.Errorf("absent: got %v", err)
	}
	if err := s.Stat(t.Context(), absent); !errors.Is(err, bucket.ErrNotFound) {
		t.Errorf("absent: stat: got %v", err)
	}
	if _, err := s.Fetch(t.Context(), cas.Descriptor{Digest: absent.Digest, Size: cas.MaxFetch + 1}); !errors.Is(err, cas.ErrTooLarge) {
		t.Errorf("large: got %v", err)
	}
	if _, err := s.Open(t.Context(), cas.Descriptor{}); !errors.Is(err, cas.ErrBadDigest) {
		t.Errorf("nothing: got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Fetch(ctx, absent); !errors.Is(err, context.Canceled) {
		t.Errorf("ended: got %v", err)
	}
}
