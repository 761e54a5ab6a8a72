package buckettest_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/buckettest"
	"github.com/signalbox-ml/signalbox/registry/bucket/membucket"
)

var errBoom = errors.New("boom")

func TestFaultyWithoutFaultsIsABucket(t *testing.T) {
	buckettest.TestBucket(t, func(*testing.T) bucket.Bucket { return buckettest.NewFaulty(membucket.New()) })
}

func put(t *testing.T, b bucket.Bucket, key string) error {
	t.Helper()
	_, err := b.Put(t.Context(), key, strings.NewReader("0123456789"), 10, bucket.PutOptions{CreateOnly: true})
	return err
}

func exists(t *testing.T, b bucket.Bucket, key string) bool {
	t.Helper()
	_, err := b.Stat(t.Context(), key)
	return err == nil
}

func TestFaultBeforeAndAfterTheEffect(t *testing.T) {
	inner := membucket.New()
	b := buckettest.NewFaulty(inner,
		buckettest.Fault{Op: buckettest.Put, Prefix: "before", Err: errBoom},
		buckettest.Fault{Op: buckettest.Put, Prefix: "after", Err: errBoom, After: true},
		buckettest.Fault{Op: buckettest.Delete, Prefix: "before", Err: errBoom},
		buckettest.Fault{Op: buckettest.Delete, Prefix: "after", Err: errBoom, After: true},
	)
	for _, key := range []string{"before", "after"} {
		if err := put(t, b, key); !errors.Is(err, errBoom) {
			t.Errorf("put %s: %v", key, err)
		}
		if got := exists(t, inner, key); got != (key == "after") {
			t.Errorf("%s exists: %v", key, got)
		}
	}
	if err := put(t, b, "before"); err != nil {
		t.Errorf("the fault is not spent: %v", err)
	}
	if err := put(t, b, "after"); !errors.Is(err, bucket.ErrExists) {
		t.Errorf("put after: %v", err)
	}
	for _, key := range []string{"before", "after"} {
		if err := b.Delete(t.Context(), key); !errors.Is(err, errBoom) {
			t.Errorf("delete %s: %v", key, err)
		}
		if got := exists(t, inner, key); got != (key == "before") {
			t.Errorf("%s exists: %v", key, got)
		}
	}
}

func TestFaultSkipAndTimes(t *testing.T) {
	b := buckettest.NewFaulty(membucket.New(), buckettest.Fault{Op: buckettest.Put, Skip: 2, Times: 3, Err: errBoom})
	var failed []int
	for i := range 8 {
		if err := put(t, b, fmt.Sprint(i)); err != nil {
			failed = append(failed, i)
		}
	}
	if want := []int{2, 3, 4}; !slices.Equal(failed, want) {
		t.Errorf("puts %v failed, want %v", failed, want)
	}
	b.Inject(buckettest.Fault{Times: -1, Err: errBoom})
	for range 3 {
		if exists(t, b, "0") {
			t.Error("a fault for all calls let one pass")
		}
	}
	calls := b.Calls()
	if len(calls) != 11 || calls[2] != (buckettest.Call{Op: buckettest.Put, Key: "2", Err: errBoom}) {
		t.Errorf("calls: %+v", calls)
	}
}

func TestFaultyReads(t *testing.T) {
	inner := membucket.New()
	for _, key := range []string{"a", "b"} {
		if err := put(t, inner, key); err != nil {
			t.Fatal(err)
		}
	}
	b := buckettest.NewFaulty(inner,
		buckettest.Fault{Op: buckettest.Get, Err: errBoom, After: true},
		buckettest.Fault{Op: buckettest.Get, Mangle: func(b []byte) []byte { return b[1:] }},
		buckettest.Fault{Op: buckettest.Get, Err: errBoom},
		buckettest.Fault{Op: buckettest.List, Err: errBoom, After: true},
	)
	for i, want := range []struct {
		body string
		err  error
	}{{"01234", errBoom}, {"123456789", nil}, {"", errBoom}, {"0123456789", nil}} {
		var data []byte
		body, _, err := b.Get(t.Context(), "a", bucket.Range{})
		if err == nil {
			data, err = io.ReadAll(body)
		}
		if string(data) != want.body || !errors.Is(err, want.err) {
			t.Errorf("get %d: %q, %v, want %q, %v", i, data, err, want.body, want.err)
		}
	}
	var keys []string
	var last error
	for a, err := range b.List(t.Context(), "") {
		keys, last = append(keys, a.Key), err
	}
	if !slices.Equal(keys, []string{"a", ""}) || !errors.Is(last, errBoom) {
		t.Errorf("list: %q, %v", keys, last)
	}
}
