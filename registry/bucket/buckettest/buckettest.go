// Package buckettest is the suite that every bucket passes, and a bucket that fails on demand.
package buckettest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"testing"

	"github.com/signalbox-ml/signalbox/registry/bucket"
)

// TestBucket checks the contract of bucket.Bucket. Open returns an empty bucket; it is called once per part.
func TestBucket(t *testing.T, open func(t *testing.T) bucket.Bucket) {
	for _, part := range []struct {
		name string
		run  func(t *testing.T, b bucket.Bucket)
	}{
		{"put then get", testPutGet},
		{"absent keys", testAbsent},
		{"replace", testReplace},
		{"create only", testCreateOnly},
		{"create only race", testRace},
		{"checksum", testChecksum},
		{"size", testSize},
		{"body from the middle", testMiddle},
		{"ranges", testRanges},
		{"list", testList},
		{"list pages", testPages},
		{"delete", testDelete},
		{"bad keys", testBadKeys},
		{"ended context", testEnded},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(t, open(t)) })
	}
}

// put stores body and fails the test if that fails.
func put(t *testing.T, b bucket.Bucket, key, body string, o bucket.PutOptions) bucket.Attrs {
	t.Helper()
	a, err := b.Put(t.Context(), key, bytes.NewReader([]byte(body)), int64(len(body)), o)
	if err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
	return a
}

// get reads a range of key and fails the test if that fails.
func get(t *testing.T, b bucket.Bucket, key string, r bucket.Range) (string, bucket.Attrs) {
	t.Helper()
	body, a, err := read(t.Context(), b, key, r)
	if err != nil {
		t.Fatalf("get %s %+v: %v", key, r, err)
	}
	return body, a
}

func read(ctx context.Context, b bucket.Bucket, key string, r bucket.Range) (string, bucket.Attrs, error) {
	body, a, err := b.Get(ctx, key, r)
	if err != nil {
		return "", a, err
	}
	data, err := io.ReadAll(body)
	return string(data), a, errors.Join(err, body.Close())
}

// wantBody fails the test unless key holds exactly want.
func wantBody(t *testing.T, b bucket.Bucket, key, want string) {
	t.Helper()
	if got, _ := get(t, b, key, bucket.Range{}); got != want {
		t.Errorf("%s holds %.60q, want %.60q", key, got, want)
	}
}

// wantAbsent fails the test unless nothing is stored under key.
func wantAbsent(t *testing.T, b bucket.Bucket, key string) {
	t.Helper()
	if _, err := b.Stat(t.Context(), key); !errors.Is(err, bucket.ErrNotFound) {
		t.Errorf("stat %s: got %v, want %v", key, err, bucket.ErrNotFound)
	}
	if _, _, err := read(t.Context(), b, key, bucket.Range{}); !errors.Is(err, bucket.ErrNotFound) {
		t.Errorf("get %s: got %v, want %v", key, err, bucket.ErrNotFound)
	}
}

// wantErr fails the test unless err is want.
func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got error %v, want %v", what, err, want)
	}
}

func sum(s string) [32]byte { return sha256.Sum256([]byte(s)) }
