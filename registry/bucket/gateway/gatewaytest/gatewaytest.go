// Package gatewaytest starts the S3 gateway for tests. The server is the test binary itself, run once more.
package gatewaytest

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"testing"

	"github.com/signalbox-ml/signalbox/registry/bucket/gateway"
	"github.com/signalbox-ml/signalbox/registry/bucket/s3bucket"
)

// childArg makes a test binary the server.
const childArg = "s3-gateway"

// Main is what the TestMain of a package that calls Start must call: it serves if the test binary was started as the
// server, and runs the tests otherwise. It does not return.
func Main(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == childArg {
		if err := gateway.ChildMain(context.Background(), os.Stdin); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Start starts a gateway over an empty directory for the duration of a test. It returns what s3bucket.New needs, with
// the name of a bucket that does not exist yet.
func Start(tb testing.TB) s3bucket.Config {
	tb.Helper()
	cfg := s3bucket.Config{Bucket: "test", AccessKey: rand.Text(), SecretKey: rand.Text(), PathStyle: true}
	s, err := gateway.Start(tb.Context(), gateway.Config{
		Args: []string{childArg}, Dir: tb.TempDir(), AccessKey: cfg.AccessKey, SecretKey: cfg.SecretKey, Log: tb.Output(),
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	cfg.Endpoint = s.Endpoint()
	return cfg
}

// Bucket starts a gateway for the duration of a test and returns an empty bucket on it.
func Bucket(tb testing.TB) *s3bucket.Bucket {
	tb.Helper()
	b, err := s3bucket.New(Start(tb))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(b.Close)
	if err = b.EnsureBucket(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return b
}
