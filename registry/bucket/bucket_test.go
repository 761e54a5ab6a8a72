package bucket_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/registry/bucket"
)

func TestCheckKey(t *testing.T) {
	for _, key := range []string{
		"a", "a/b", "a.b", "...", "a b=c,d;e+f", "ü/…", strings.Repeat("k", 255), strings.Repeat("k/", 511) + "kk",
		"archive/v1/topic=events.trips.0a1b2c3d/type=com.example.trip/date=2026-01-02/hour=03/p0-0-9-1.parquet",
	} {
		if err := bucket.CheckKey(key); err != nil {
			t.Errorf("%.50q: %v", key, err)
		}
	}
	for _, key := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b", "a\x00", "a\n", "a\x7f", `a\b`, "\xff",
		strings.Repeat("k", 256), strings.Repeat("k/", 512) + "k",
	} {
		if err := bucket.CheckKey(key); !errors.Is(err, bucket.ErrBadKey) {
			t.Errorf("%.50q: got %v, want %v", key, err, bucket.ErrBadKey)
		}
	}
}

// FuzzCheckKey checks that a good key reaches a server as itself: no part of the way may clean or split it.
func FuzzCheckKey(f *testing.F) {
	for _, key := range []string{"a/b", "../a", "a//b", "a%2fb", "ü ?#&", "a\\b"} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if bucket.CheckKey(key) != nil {
			return
		}
		for seg := range strings.SplitSeq(key, "/") {
			if seg == "" || seg == "." || seg == ".." || strings.ContainsAny(seg, "\x00\r\n\\") {
				t.Errorf("%q has the segment %q", key, seg)
			}
		}
	})
}

func TestRangeWithin(t *testing.T) {
	const whole = 1<<63 - 1
	for _, c := range []struct {
		r          bucket.Range
		size       int64
		start, end int64
		err        error
	}{
		{bucket.Range{}, 10, 0, 10, nil},
		{bucket.Range{}, 0, 0, 0, nil},
		{bucket.Range{Offset: 3}, 10, 3, 10, nil},
		{bucket.Range{Offset: 3, Length: 4}, 10, 3, 7, nil},
		{bucket.Range{Offset: 9, Length: 1}, 10, 9, 10, nil},
		{bucket.Range{Offset: 9, Length: whole}, 10, 9, 10, nil}, // the sum overflows
		{bucket.Range{Length: 10}, 10, 0, 10, nil},
		{bucket.Range{Offset: 10}, 10, 0, 0, bucket.ErrBadRange},
		{bucket.Range{Length: 1}, 0, 0, 0, bucket.ErrBadRange},
		{bucket.Range{Offset: -1}, 10, 0, 0, bucket.ErrBadRange},
		{bucket.Range{Length: -1}, 10, 0, 0, bucket.ErrBadRange},
	} {
		start, end, err := c.r.Within(c.size)
		if start != c.start || end != c.end || !errors.Is(err, c.err) {
			t.Errorf("%+v of %d: got %d, %d, %v, want %d, %d, %v", c.r, c.size, start, end, err, c.start, c.end, c.err)
		}
	}
}

func TestSignedRequest(t *testing.T) {
	var got *http.Request
	var body string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got, body = r, string(b)
	}))
	defer server.Close()
	for _, want := range []string{"the body", ""} {
		length := map[string]string{"the body": "8", "": "0"}[want]
		s := bucket.Signed{Method: "PUT", URL: server.URL + "/k?sig=1", Header: map[string][]string{
			"content-length": {length}, "If-None-Match": {"*"},
		}}
		r, err := s.Request(t.Context(), io.MultiReader(strings.NewReader(want))) // of no known length
		if err != nil {
			t.Fatal(err)
		}
		resp, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got.Method != "PUT" || got.URL.String() != "/k?sig=1" || got.Header.Get("If-None-Match") != "*" || body != want {
			t.Errorf("got %s %s %v %q", got.Method, got.URL, got.Header, body)
		}
		if got.ContentLength != int64(len(want)) || len(got.TransferEncoding) != 0 {
			t.Errorf("got length %d, encoding %v, want %d and none", got.ContentLength, got.TransferEncoding, len(want))
		}
	}
	for _, bad := range []bucket.Signed{
		{Method: "GET", URL: "http://%zz"},
		{Method: "PUT", URL: server.URL, Header: map[string][]string{"Content-Length": {"many"}}},
	} {
		if _, err := bad.Request(t.Context(), nil); err == nil {
			t.Errorf("%+v became a request", bad)
		}
	}
}
