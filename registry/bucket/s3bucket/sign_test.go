package s3bucket_test

import (
	"crypto/sha256"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/registry/bucket/s3bucket"
)

// TestSignPutSignsHeaders guards the one fault that would go unnoticed: a checksum in the query of the URL looks signed
// but is ignored by S3.
func TestSignPutSignsHeaders(t *testing.T) {
	for name, endpoint := range map[string]string{"http": "http://127.0.0.1:1", "https": "https://s3.test", "amazon": ""} {
		t.Run(name, func(t *testing.T) {
			b := opened(t, s3bucket.Config{Endpoint: endpoint, Bucket: "test", AccessKey: "a", SecretKey: "s", PathStyle: true})
			s, err := b.SignPut(t.Context(), "dir/k", sha256.Sum256([]byte("body")), 4, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(s.URL)
			if err != nil {
				t.Fatal(err)
			}
			headers := strings.Split(u.Query().Get("X-Amz-SignedHeaders"), ";")
			for _, want := range []string{"content-length", "host", "if-none-match", "x-amz-checksum-sha256"} {
				if !slices.Contains(headers, want) {
					t.Errorf("%s is not among the signed headers %q", want, headers)
				}
			}
			for name := range u.Query() {
				if lower := strings.ToLower(name); strings.Contains(lower, "checksum") || strings.Contains(lower, "none-match") {
					t.Errorf("%s is in the query", name)
				}
			}
			for name, want := range map[string]string{
				"Content-Length": "4", "If-None-Match": "*",
				"X-Amz-Checksum-Sha256": "Iw2DWNyOiJC0xY3utikS7i8gNXrpKlzIYbmOaP4xrLU=",
			} {
				if got := s.Header[name]; !slices.Equal(got, []string{want}) {
					t.Errorf("the holder is told %s: %q, want %q", name, got, want)
				}
			}
			if len(s.Header) != 3 || s.Method != "PUT" {
				t.Errorf("signed %+v", s)
			}
		})
	}
}

func TestConfig(t *testing.T) {
	good := s3bucket.Config{Bucket: "test", AccessKey: "a", SecretKey: "s"}
	if _, err := s3bucket.New(good); err != nil {
		t.Errorf("the least configuration: %v", err)
	}
	_, err := s3bucket.New(s3bucket.Config{Endpoint: "127.0.0.1:9000", Attempts: -1})
	for _, want := range []string{"Endpoint", "Bucket", "AccessKey", "Attempts"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want a word on %s", err, want)
		}
	}
}
