package buckettest

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/registry/bucket"
)

// SigningBucket is a bucket that hands out signed requests.
type SigningBucket interface {
	bucket.Bucket
	bucket.Signer
}

// TestSigner checks the contract of bucket.Signer. Open returns an empty bucket; it is called once per part.
func TestSigner(t *testing.T, open func(t *testing.T) SigningBucket) {
	for _, part := range []struct {
		name string
		run  func(t *testing.T, b SigningBucket)
	}{
		{"signed get", testSignedGet},
		{"signed put", testSignedPut},
		{"signed put of nothing", testSignedEmpty},
		{"wrong bytes", testSignedWrong},
		{"changed headers", testSignedHeaders},
		{"changed url", testSignedURL},
		{"life", testSignedLife},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(t, open(t)) })
	}
}

func testSignedGet(t *testing.T, b SigningBucket) {
	put(t, b, "dir/k =+.bin", "0123456789", bucket.PutOptions{})
	s, err := b.SignGet(t.Context(), "dir/k =+.bin", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if code, body := send(t, s, ""); code != http.StatusOK || body != "0123456789" {
		t.Errorf("got %d %q", code, body)
	}
	s.Header = map[string][]string{"Range": {"bytes=2-4"}} // a holder may read a part
	if code, body := send(t, s, ""); code != http.StatusPartialContent || body != "234" {
		t.Errorf("range: got %d %q", code, body)
	}
	s, err = b.SignGet(t.Context(), "absent", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if code, _ := send(t, s, ""); code != http.StatusNotFound {
		t.Errorf("absent: got %d, want 404", code)
	}
}

func testSignedPut(t *testing.T, b SigningBucket) {
	s := signPut(t, b, "k", "the body")
	if code, body := send(t, s, "the body"); code != http.StatusOK {
		t.Fatalf("got %d %s", code, body)
	}
	wantBody(t, b, "k", "the body")
	if a, err := b.Stat(t.Context(), "k"); err != nil || a.SHA256 != sum("the body") {
		t.Errorf("stat: %+v, %v", a, err)
	}
	if code, _ := send(t, s, "the body"); code != http.StatusPreconditionFailed {
		t.Errorf("replay: got %d, want 412", code)
	}
	if err := b.Delete(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	if code, _ := send(t, s, "the body"); code != http.StatusOK {
		t.Errorf("after a delete: got %d, want 200", code)
	}
}

func testSignedEmpty(t *testing.T, b SigningBucket) {
	if code, body := send(t, signPut(t, b, "k", ""), ""); code != http.StatusOK {
		t.Fatalf("got %d %s", code, body)
	}
	wantBody(t, b, "k", "")
}

func testSignedWrong(t *testing.T, b SigningBucket) {
	s := signPut(t, b, "k", "the body")
	for _, body := range []string{"the bodY", "The body"} {
		if code, _ := send(t, s, body); code < 400 || code >= 500 {
			t.Errorf("%q: got %d, want a refusal", body, code)
		}
		wantAbsent(t, b, "k")
	}
}

// testSignedHeaders leaves out or changes one signed header after the other; the body fits the change.
func testSignedHeaders(t *testing.T, b SigningBucket) {
	other := signPut(t, b, "k", "another body")
	for _, name := range []string{"If-None-Match", "X-Amz-Checksum-Sha256", "Content-Length"} {
		if len(other.Header[name]) != 1 {
			t.Fatalf("header %s is not signed: %v", name, other.Header)
		}
		changed := signPut(t, b, "k", "the body")
		changed.Header[name] = slices.Clone(other.Header[name])
		body := "the body"
		switch name {
		case "If-None-Match":
			changed.Header[name] = []string{`"etag"`}
		case "X-Amz-Checksum-Sha256":
			body = "bad body"
			changed.Header[name] = signPut(t, b, "k", body).Header[name]
		case "Content-Length":
			body = "another body"
		}
		if code, _ := send(t, changed, body); code < 400 || code >= 500 {
			t.Errorf("changed %s: got %d, want a refusal", name, code)
		}
		wantAbsent(t, b, "k")
		if name == "Content-Length" {
			continue // HTTP has no request without one that S3 would take
		}
		dropped := signPut(t, b, "k", "the body")
		delete(dropped.Header, name)
		if code, _ := send(t, dropped, "the body"); code < 400 || code >= 500 {
			t.Errorf("without %s: got %d, want a refusal", name, code)
		}
		wantAbsent(t, b, "k")
	}
}

func testSignedURL(t *testing.T, b SigningBucket) {
	put(t, b, "secret", "x", bucket.PutOptions{})
	put(t, b, "public", "y", bucket.PutOptions{})
	s, err := b.SignGet(t.Context(), "public", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	s.URL = strings.Replace(s.URL, "public", "secret", 1)
	if code, body := send(t, s, ""); code != http.StatusForbidden {
		t.Errorf("another key: got %d %q, want 403", code, body)
	}
	p := signPut(t, b, "k", "the body")
	u, err := url.Parse(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("X-Amz-Expires", "604800")
	u.RawQuery = q.Encode()
	p.URL = u.String()
	if code, _ := send(t, p, "the body"); code != http.StatusForbidden {
		t.Errorf("longer life: got %d, want 403", code)
	}
	wantAbsent(t, b, "k")
}

func testSignedLife(t *testing.T, b SigningBucket) {
	s, err := b.SignGet(t.Context(), "k", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if d := time.Until(s.Expires); d < 59*time.Minute || d > time.Hour {
		t.Errorf("expires in %s, want an hour", d)
	}
	for _, ttl := range []time.Duration{0, -time.Hour, 8 * 24 * time.Hour} {
		if _, err := b.SignGet(t.Context(), "k", ttl); err == nil {
			t.Errorf("a read was signed for %s", ttl)
		}
		if _, err := b.SignPut(t.Context(), "k", sum("x"), 1, ttl); err == nil {
			t.Errorf("a write was signed for %s", ttl)
		}
	}
}

func signPut(t *testing.T, b bucket.Signer, key, body string) bucket.Signed {
	t.Helper()
	s, err := b.SignPut(t.Context(), key, sum(body), int64(len(body)), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// send does what a holder without credentials does.
func send(t *testing.T, s bucket.Signed, body string) (int, string) {
	t.Helper()
	var in io.Reader
	if s.Method == http.MethodPut {
		in = bytes.NewReader([]byte(body))
	}
	r, err := s.Request(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	out, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	answer, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatal(err)
	}
	return out.StatusCode, string(answer)
}
