package probe_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/buckettest"
	miniotest "github.com/signalbox-ml/signalbox/registry/bucket/buckettest/minio"
	"github.com/signalbox-ml/signalbox/registry/bucket/gateway/gatewaytest"
	"github.com/signalbox-ml/signalbox/registry/bucket/membucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/probe"
	"github.com/signalbox-ml/signalbox/registry/bucket/s3bucket"
)

func TestMain(m *testing.M) { gatewaytest.Main(m) }

func minioBucket(t *testing.T) bucket.Bucket {
	t.Helper()
	s := miniotest.Run(t)
	b, err := s3bucket.New(s3bucket.Config{
		Endpoint: s.Endpoint, Bucket: "test", AccessKey: s.AccessKey, SecretKey: s.SecretKey, PathStyle: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err = b.EnsureBucket(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

// run probes b with a small configuration and checks that nothing is left behind.
func run(t *testing.T, b bucket.Bucket, inner bucket.Bucket) probe.Report {
	t.Helper()
	report, err := probe.Run(t.Context(), b, probe.Config{Writers: 4, Keys: 2})
	if err != nil {
		t.Fatal(err)
	}
	for a, err := range inner.List(t.Context(), "") {
		t.Errorf("left behind: %s, %v", a.Key, err)
	}
	return report
}

func failures(r probe.Report) []string {
	var names []string
	for _, c := range r.Checks {
		if !c.OK {
			names = append(names, c.Name)
		}
	}
	return names
}

func TestGoodStores(t *testing.T) {
	mem, s3, minio := membucket.New(), gatewaytest.Bucket(t), minioBucket(t)
	for name, c := range map[string]struct {
		b      bucket.Bucket
		checks int
	}{"memory": {mem, 5}, "gateway": {s3, 9}, "minio": {minio, 9}} {
		t.Run(name, func(t *testing.T) {
			report := run(t, c.b, c.b)
			if err := report.Err(); err != nil || len(report.Checks) != c.checks {
				t.Errorf("%d checks of %d, %v\n%s", len(report.Checks), c.checks, err, report)
			}
			if n := strings.Count(report.String(), "ok  "); n != c.checks {
				t.Errorf("the table has %d lines, want %d:\n%s", n, c.checks, report)
			}
		})
	}
}

// lying is a store that breaks promises.
type lying struct {
	bucket.Bucket
	options func(key string, o bucket.PutOptions) bucket.PutOptions // what of them a Put obeys
	late    bool                                                    // refuses wrong checksums after storing
	stat    func(a bucket.Attrs) bucket.Attrs
	get     func(r bucket.Range) bucket.Range
}

func (l lying) Put(ctx context.Context, key string, body io.ReadSeeker, size int64, o bucket.PutOptions) (bucket.Attrs, error) {
	obeyed := o
	if l.options != nil {
		obeyed = l.options(key, o)
	}
	a, err := l.Bucket.Put(ctx, key, body, size, obeyed)
	if err == nil && l.late && o.SHA256 != [32]byte{} && a.SHA256 != o.SHA256 {
		err = bucket.ErrChecksum
	}
	return a, err
}

func (l lying) Stat(ctx context.Context, key string) (bucket.Attrs, error) {
	a, err := l.Bucket.Stat(ctx, key)
	if l.stat != nil {
		a = l.stat(a)
	}
	return a, err
}

func (l lying) Get(ctx context.Context, key string, r bucket.Range) (io.ReadCloser, bucket.Attrs, error) {
	if l.get != nil {
		r = l.get(r)
	}
	return l.Bucket.Get(ctx, key, r)
}

func noChecksum(_ string, o bucket.PutOptions) bucket.PutOptions {
	o.SHA256 = [32]byte{}
	return o
}

func noCreateOnly(_ string, o bucket.PutOptions) bucket.PutOptions {
	o.CreateOnly = false
	return o
}

// racyCreateOnly is as if every writer of a race had looked before the first one wrote.
func racyCreateOnly(key string, o bucket.PutOptions) bucket.PutOptions {
	o.CreateOnly = o.CreateOnly && !strings.Contains(key, "race/")
	return o
}

func TestLyingStores(t *testing.T) {
	for name, c := range map[string]struct {
		lie  lying
		want []string
	}{
		"no checksums":        {lying{options: noChecksum}, []string{"wrong checksum is refused"}},
		"late checksums":      {lying{options: noChecksum, late: true}, []string{"wrong checksum is refused"}},
		"forgotten checksums": {lying{stat: func(a bucket.Attrs) bucket.Attrs { a.SHA256 = [32]byte{}; return a }}, []string{"checksum is kept"}},
		"no create-only":      {lying{options: noCreateOnly}, []string{"create-only is refused twice", "create-only has one winner"}},
		"racy create-only":    {lying{options: racyCreateOnly}, []string{"create-only has one winner"}},
		"no ranges":           {lying{get: func(bucket.Range) bucket.Range { return bucket.Range{} }}, []string{"ranges"}},
	} {
		t.Run(name, func(t *testing.T) {
			inner := membucket.New()
			c.lie.Bucket = inner
			report := run(t, c.lie, inner)
			if got := failures(report); !slices.Equal(got, c.want) {
				t.Errorf("failed are %q, want %q\n%s", got, c.want, report)
			}
			err := report.Err()
			if !errors.Is(err, probe.ErrUnfit) || !strings.Contains(err.Error(), c.want[0]) {
				t.Errorf("got %v", err)
			}
			if text := report.String(); !strings.Contains(text, "FAIL") || !strings.Contains(text, "->") {
				t.Errorf("the table:\n%s", text)
			}
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestLyingSigner lets every signed request succeed, whatever it carries.
func TestLyingSigner(t *testing.T) {
	b := gatewaytest.Bucket(t)
	yes := roundTrip(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
	})
	report, err := probe.Run(t.Context(), b, probe.Config{Writers: 2, Keys: 1, HTTPClient: &http.Client{Transport: yes}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"signed get", "signed put works once", "signed put refuses other bytes", "signed put refuses dropped headers"}
	if got := failures(report); !slices.Equal(got, want) {
		t.Errorf("failed are %q, want %q\n%s", got, want, report)
	}
}

func TestStoresThatCannotBeTried(t *testing.T) {
	boom := errors.New("connection refused")
	b := buckettest.NewFaulty(membucket.New(), buckettest.Fault{Times: -1, Err: boom})
	if report, err := probe.Run(t.Context(), b, probe.Config{}); !errors.Is(err, boom) || len(report.Checks) != 0 {
		t.Errorf("absent: %+v, %v", report, err)
	}
	stuck := buckettest.NewFaulty(membucket.New(), buckettest.Fault{Op: buckettest.Delete, Err: boom})
	if report, err := probe.Run(t.Context(), stuck, probe.Config{Writers: 2, Keys: 1}); !errors.Is(err, boom) || report.Err() != nil {
		t.Errorf("no deletes: %v, %v", report.Err(), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := probe.Run(ctx, membucket.New(), probe.Config{}); !errors.Is(err, context.Canceled) {
		t.Errorf("ended: %v", err)
	}
	_, err := probe.Run(t.Context(), membucket.New(), probe.Config{Prefix: "no folder", Writers: 1})
	if err == nil || !strings.Contains(err.Error(), "Prefix") || !strings.Contains(err.Error(), "Writers") {
		t.Errorf("configuration: %v", err)
	}
	if err := (probe.Report{}).Err(); !errors.Is(err, probe.ErrUnfit) {
		t.Errorf("an empty report: %v", err)
	}
}
