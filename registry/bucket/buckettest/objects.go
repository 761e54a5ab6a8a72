package buckettest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/registry/bucket"
)

func testPutGet(t *testing.T, b bucket.Bucket) {
	before := time.Now().Add(-time.Minute) // stores round, clocks differ
	for _, body := range []string{"", "x", strings.Repeat("0123456789abcdef", 300_000)} {
		key := fmt.Sprintf("dir/of %d+bytes=ü.bin", len(body))
		a := put(t, b, key, body, bucket.PutOptions{SHA256: sum(body), ContentType: "text/plain"})
		if a.Key != key || a.Size != int64(len(body)) || a.SHA256 != sum(body) {
			t.Errorf("put %s returned %+v", key, a)
		}
		got, a := get(t, b, key, bucket.Range{})
		if got != body {
			t.Errorf("get %s: %d bytes %.20q, want %d bytes", key, len(got), got, len(body))
		}
		if a.Key != key || a.Size != int64(len(body)) {
			t.Errorf("get %s returned %+v", key, a)
		}
		a, err := b.Stat(t.Context(), key)
		if err != nil || a.Key != key || a.Size != int64(len(body)) || a.SHA256 != sum(body) || a.Modified.Before(before) {
			t.Errorf("stat %s: %+v, %v", key, a, err)
		}
	}
}

func testAbsent(t *testing.T, b bucket.Bucket) {
	put(t, b, "a/b/c", "x", bucket.PutOptions{})
	for _, key := range []string{"nothing", "a", "a/b", "a/b/c.d", "a/x/c"} { // a folder of keys is no object
		wantAbsent(t, b, key)
	}
	_, _, err := read(t.Context(), b, "nothing", bucket.Range{Offset: 3, Length: 2})
	wantErr(t, "range of nothing", err, bucket.ErrNotFound)
}

func testReplace(t *testing.T, b bucket.Bucket) {
	put(t, b, "k", "first", bucket.PutOptions{SHA256: sum("first")})
	put(t, b, "k", "the second", bucket.PutOptions{SHA256: sum("the second")})
	wantBody(t, b, "k", "the second")
	if a, err := b.Stat(t.Context(), "k"); err != nil || a.SHA256 != sum("the second") {
		t.Errorf("stat of the replacement: %+v, %v", a, err)
	}
}

func testChecksum(t *testing.T, b bucket.Bucket) {
	body := []byte("these are the bytes")
	for i := range body {
		flipped := bytes.Clone(body)
		flipped[i] ^= 1
		key := fmt.Sprintf("flipped/%d", i)
		_, err := b.Put(t.Context(), key, bytes.NewReader(flipped), int64(len(flipped)), bucket.PutOptions{SHA256: sum(string(body))})
		wantErr(t, "put of flipped bytes", err, bucket.ErrChecksum)
		wantAbsent(t, b, key)
	}
	put(t, b, "k", "old", bucket.PutOptions{})
	_, err := b.Put(t.Context(), "k", strings.NewReader("new"), 3, bucket.PutOptions{SHA256: sum("wen")})
	wantErr(t, "replacement with a wrong checksum", err, bucket.ErrChecksum)
	wantBody(t, b, "k", "old")
}

func testSize(t *testing.T, b bucket.Bucket) {
	for _, size := range []int64{0, 4, 6, 1 << 20, -1} {
		for _, o := range []bucket.PutOptions{{}, {CreateOnly: true, SHA256: sum("12345")}} {
			if _, err := b.Put(t.Context(), "k", strings.NewReader("12345"), size, o); err == nil {
				t.Errorf("5 bytes were stored as %d", size)
			}
			wantAbsent(t, b, "k")
		}
	}
	long := strings.Repeat("x", 4<<20) // does not fit the buffers on the way: most of it is sent before its end is seen
	if _, err := b.Put(t.Context(), "k", strings.NewReader(long), int64(len(long))-1, bucket.PutOptions{}); err == nil {
		t.Error("a body was cut")
	}
	wantAbsent(t, b, "k")
}

func testMiddle(t *testing.T, b bucket.Bucket) {
	body := strings.NewReader("head,tail")
	if _, err := body.Seek(5, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Put(t.Context(), "k", body, 4, bucket.PutOptions{SHA256: sum("tail")}); err != nil {
		t.Fatal(err)
	}
	wantBody(t, b, "k", "tail")
}

func testRanges(t *testing.T, b bucket.Bucket) {
	put(t, b, "k", "0123456789", bucket.PutOptions{})
	put(t, b, "empty", "", bucket.PutOptions{})
	for _, c := range []struct {
		r    bucket.Range
		want string
	}{
		{bucket.Range{Length: 1}, "0"},
		{bucket.Range{Length: 10}, "0123456789"},
		{bucket.Range{Offset: 3}, "3456789"},
		{bucket.Range{Offset: 3, Length: 4}, "3456"},
		{bucket.Range{Offset: 9, Length: 1}, "9"},
		{bucket.Range{Offset: 8, Length: 100}, "89"},
		{bucket.Range{Length: 1 << 40}, "0123456789"},
	} {
		got, a := get(t, b, "k", c.r)
		if got != c.want || a.Size != 10 {
			t.Errorf("%+v: got %q of %d bytes, want %q of 10", c.r, got, a.Size, c.want)
		}
	}
	for _, r := range []bucket.Range{{Offset: 10}, {Offset: 11, Length: 1}, {Offset: -1}, {Length: -1}} {
		_, _, err := read(t.Context(), b, "k", r)
		wantErr(t, fmt.Sprintf("%+v", r), err, bucket.ErrBadRange)
	}
	_, _, err := read(t.Context(), b, "empty", bucket.Range{Length: 5})
	wantErr(t, "a range of an empty object", err, bucket.ErrBadRange)
}

func testDelete(t *testing.T, b bucket.Bucket) {
	put(t, b, "d/k", "x", bucket.PutOptions{})
	put(t, b, "d/other", "y", bucket.PutOptions{})
	for range 2 {
		if err := b.Delete(t.Context(), "d/k"); err != nil {
			t.Errorf("delete: %v", err)
		}
		wantAbsent(t, b, "d/k")
	}
	if err := b.Delete(t.Context(), "never/was"); err != nil {
		t.Errorf("delete of nothing: %v", err)
	}
	wantBody(t, b, "d/other", "y")
	put(t, b, "d/k", "again", bucket.PutOptions{CreateOnly: true})
	wantBody(t, b, "d/k", "again")
}

func testBadKeys(t *testing.T, b bucket.Bucket) {
	for _, key := range []string{"", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", "a\x00b", "a\nb", "\xff", strings.Repeat("k", 256)} {
		_, err := b.Put(t.Context(), key, strings.NewReader("x"), 1, bucket.PutOptions{})
		wantErr(t, fmt.Sprintf("put %.20q", key), err, bucket.ErrBadKey)
	}
	for a, err := range b.List(t.Context(), "") {
		t.Errorf("something was stored: %+v, %v", a, err)
	}
}

func testEnded(t *testing.T, b bucket.Bucket) {
	put(t, b, "k", "x", bucket.PutOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.Stat(ctx, "k")
	wantErr(t, "stat", err, context.Canceled)
	_, _, err = read(ctx, b, "k", bucket.Range{})
	wantErr(t, "get", err, context.Canceled)
	_, err = b.Put(ctx, "new", strings.NewReader("x"), 1, bucket.PutOptions{})
	wantErr(t, "put", err, context.Canceled)
	wantErr(t, "delete", b.Delete(ctx, "k"), context.Canceled)
	for _, err := range b.List(ctx, "") {
		wantErr(t, "list", err, context.Canceled)
	}
	wantBody(t, b, "k", "x")
	wantAbsent(t, b, "new")
}
