package s3bucket_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/s3bucket"
)

// script answers requests in turn, the last answer for ever, and keeps what it was sent.
type script struct {
	mu      sync.Mutex
	answers []http.HandlerFunc
	heads   []http.Header
	bodies  []string
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.heads = append(s.heads, r.Header)
	s.bodies = append(s.bodies, string(body))
	answer := s.answers[min(len(s.heads), len(s.answers))-1]
	s.mu.Unlock()
	answer(w, r)
}

func scripted(t *testing.T, answers ...http.HandlerFunc) (*s3bucket.Bucket, *script) {
	t.Helper()
	s := &script{answers: answers}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return opened(t, s3bucket.Config{
		Endpoint: server.URL, Bucket: "test", AccessKey: "a", SecretKey: "s", PathStyle: true, Attempts: 3,
	}), s
}

func fault(status int, code, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", code, message)
	}
}

func ok(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }

func create(t *testing.T, b *s3bucket.Bucket) error {
	t.Helper()
	_, err := b.Put(t.Context(), "k", strings.NewReader("body"), 4,
		bucket.PutOptions{CreateOnly: true, SHA256: sha256.Sum256([]byte("body")), ContentType: "text/x"})
	return err
}

func TestPutRequest(t *testing.T) {
	b, s := scripted(t, ok)
	if err := create(t, b); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("body"))
	for name, want := range map[string]string{
		"If-None-Match":         "*",
		"X-Amz-Checksum-Sha256": base64.StdEncoding.EncodeToString(sum[:]),
		"X-Amz-Content-Sha256":  hex.EncodeToString(sum[:]),
		"Content-Type":          "text/x",
		"Content-Length":        "4",
		"X-Amz-Trailer":         "",
		"Content-Encoding":      "",
	} {
		if got := s.heads[0].Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestConflictSendsTheWholeUploadAgain(t *testing.T) {
	conflict := fault(http.StatusConflict, "ConditionalRequestConflict", "again")
	b, s := scripted(t, conflict, conflict, ok)
	if err := create(t, b); err != nil {
		t.Errorf("two conflicts: %v", err)
	}
	if len(s.bodies) != 3 || s.bodies[2] != "body" {
		t.Errorf("sent %q", s.bodies)
	}

	b, s = scripted(t, conflict, fault(http.StatusPreconditionFailed, "PreconditionFailed", "taken"))
	if err := create(t, b); !errors.Is(err, bucket.ErrExists) {
		t.Errorf("a conflict, then taken: got %v, want %v", err, bucket.ErrExists)
	}
	if len(s.bodies) != 2 {
		t.Errorf("sent %d requests, want 2", len(s.bodies))
	}

	b, s = scripted(t, conflict)
	if err := create(t, b); err == nil || errors.Is(err, bucket.ErrExists) {
		t.Errorf("conflicts for ever: got %v, want an error that is no verdict", err)
	}
	if len(s.bodies) != 3 {
		t.Errorf("sent %d requests, want 3", len(s.bodies))
	}
}

func TestBusyServerIsAskedAgain(t *testing.T) {
	b, s := scripted(t, fault(http.StatusServiceUnavailable, "SlowDown", "busy"), fault(http.StatusInternalServerError, "InternalError", "broken"), ok)
	if err := create(t, b); err != nil {
		t.Error(err)
	}
	if len(s.bodies) != 3 {
		t.Errorf("sent %d requests, want 3", len(s.bodies))
	}
}

func TestErrors(t *testing.T) {
	sentinels := []error{bucket.ErrNotFound, bucket.ErrExists, bucket.ErrChecksum, bucket.ErrBadRange}
	for _, c := range []struct {
		status  int
		code    string
		message string
		want    error // nil: none of the sentinels
	}{
		{404, "NoSuchKey", "", bucket.ErrNotFound},
		{404, "", "", bucket.ErrNotFound},
		{404, "NoSuchBucket", "", nil},
		{412, "PreconditionFailed", "", bucket.ErrExists},
		{412, "", "", bucket.ErrExists},
		{400, "BadDigest", "", bucket.ErrChecksum},
		{400, "XAmzContentChecksumMismatch", "", bucket.ErrChecksum},
		{400, "XAmzContentSHA256Mismatch", "", bucket.ErrChecksum},
		{400, "InvalidRequest", "Value for x-amz-checksum-sha256 header is invalid.", bucket.ErrChecksum},
		{400, "InvalidRequest", "something else", nil},
		{416, "InvalidRange", "", bucket.ErrBadRange},
		{416, "", "", bucket.ErrBadRange},
		{403, "AccessDenied", "", nil},
		{301, "PermanentRedirect", "", nil},
	} {
		t.Run(fmt.Sprint(c.status, c.code), func(t *testing.T) {
			b, s := scripted(t, fault(c.status, c.code, c.message))
			err := create(t, b)
			if err == nil || !strings.HasPrefix(err.Error(), "put k: ") {
				t.Fatalf("got %v", err)
			}
			for _, sentinel := range sentinels {
				if errors.Is(err, sentinel) != (sentinel == c.want) {
					t.Errorf("got %v, want sentinel %v", err, c.want)
				}
			}
			if len(s.heads) != 1 {
				t.Errorf("asked %d times, want once", len(s.heads))
			}
		})
	}
}

func TestUntrustworthyAnswers(t *testing.T) {
	t.Run("a range that was ignored", func(t *testing.T) {
		b, _ := scripted(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "the whole body") })
		if _, _, err := b.Get(t.Context(), "k", bucket.Range{Offset: 4, Length: 5}); err == nil {
			t.Error("the whole body was taken for a part of it")
		}
	})
	t.Run("a checksum of checksums", func(t *testing.T) {
		b, _ := scripted(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Checksum-Sha256", base64.StdEncoding.EncodeToString(make([]byte, 31))+"=-2")
			w.Header().Set("X-Amz-Checksum-Type", "COMPOSITE")
		})
		if a, err := b.Stat(t.Context(), "k"); err != nil || a.SHA256 != [32]byte{} {
			t.Errorf("stat: %+v, %v", a, err)
		}
	})
	t.Run("a body that breaks off", func(t *testing.T) {
		b, _ := scripted(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "short")
		})
		body, _, err := b.Get(t.Context(), "k", bucket.Range{})
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		if _, err = io.ReadAll(body); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("got %v, want %v", err, io.ErrUnexpectedEOF)
		}
	})
}

// counted counts the bytes that are read from it.
type counted struct {
	io.ReadSeeker
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadSeeker.Read(p)
	c.n += n
	return n, err
}

func TestABodyIsReadOnceIfItsSumIsKnown(t *testing.T) {
	body := strings.Repeat("0123456789", 100_000)
	for name, c := range map[string]struct {
		o     bucket.PutOptions
		times int
	}{
		"known":   {bucket.PutOptions{SHA256: sha256.Sum256([]byte(body))}, 1},
		"unknown": {bucket.PutOptions{}, 2}, // plain HTTP: the signature needs the hash
	} {
		b, s := scripted(t, ok)
		in := &counted{ReadSeeker: strings.NewReader(body)}
		if _, err := b.Put(t.Context(), "k", in, int64(len(body)), c.o); err != nil {
			t.Fatal(err)
		}
		if in.n != c.times*len(body) || s.bodies[0] != body {
			t.Errorf("%s: %d bytes were read, want %d times %d", name, in.n, c.times, len(body))
		}
	}
}

func TestABodyOfAnotherSizeIsNotSent(t *testing.T) {
	b, s := scripted(t, ok)
	for _, size := range []int64{3, 5} {
		if _, err := b.Put(t.Context(), "k", strings.NewReader("body"), size, bucket.PutOptions{}); err == nil {
			t.Errorf("4 bytes were sent as %d", size)
		}
	}
	if len(s.heads) != 0 {
		t.Errorf("%d requests were sent", len(s.heads))
	}
}
