package s3bucket_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/buckettest"
	miniotest "github.com/signalbox-ml/signalbox/registry/bucket/buckettest/minio"
	"github.com/signalbox-ml/signalbox/registry/bucket/gateway/gatewaytest"
	"github.com/signalbox-ml/signalbox/registry/bucket/s3bucket"
)

func TestMain(m *testing.M) { gatewaytest.Main(m) }

// servers are the S3 servers that every test here runs against: the own one, and one by somebody else.
func servers(t *testing.T, run func(t *testing.T, cfg s3bucket.Config)) {
	t.Run("gateway", func(t *testing.T) { run(t, gatewaytest.Start(t)) })
	t.Run("minio", func(t *testing.T) {
		s := miniotest.Run(t)
		run(t, s3bucket.Config{
			Endpoint: s.Endpoint, Bucket: "test", AccessKey: s.AccessKey, SecretKey: s.SecretKey, PathStyle: true,
		})
	})
}

func TestServers(t *testing.T) {
	servers(t, func(t *testing.T, cfg s3bucket.Config) {
		var n atomic.Int32
		open := func(t *testing.T) *s3bucket.Bucket {
			cfg := cfg
			cfg.Bucket = fmt.Sprintf("bucket-%d", n.Add(1))
			return ensured(t, cfg)
		}
		t.Run("bucket", func(t *testing.T) {
			buckettest.TestBucket(t, func(t *testing.T) bucket.Bucket { return open(t) })
		})
		t.Run("signer", func(t *testing.T) {
			buckettest.TestSigner(t, func(t *testing.T) buckettest.SigningBucket { return open(t) })
		})
		t.Run("ensure", func(t *testing.T) { testEnsure(t, cfg) })
	})
}

func testEnsure(t *testing.T, cfg s3bucket.Config) {
	cfg.Bucket = "ensured"
	b := opened(t, cfg)
	if _, err := b.Stat(t.Context(), "k"); err == nil {
		t.Fatal("the bucket is there before it was made")
	}
	for range 2 {
		if err := b.EnsureBucket(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for a, err := range b.List(t.Context(), "") {
		t.Errorf("a new bucket holds %+v, %v", a, err)
	}
	cfg.SecretKey = "wrong" + cfg.SecretKey
	if err := opened(t, cfg).EnsureBucket(t.Context()); err == nil {
		t.Error("a wrong secret was accepted")
	}
}

func ensured(t *testing.T, cfg s3bucket.Config) *s3bucket.Bucket {
	t.Helper()
	b := opened(t, cfg)
	if err := b.EnsureBucket(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

func opened(t *testing.T, cfg s3bucket.Config) *s3bucket.Bucket {
	t.Helper()
	b, err := s3bucket.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}
