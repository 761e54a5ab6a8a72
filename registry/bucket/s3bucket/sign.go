package s3bucket

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"

	"github.com/signalbox-ml/signalbox/registry/bucket"
)

// maxTTL is the longest life that SigV4 allows a signed request.
const maxTTL = 7 * 24 * time.Hour

var errTTL = errors.New("a signed request lives between one second and seven days")

// SignGet implements bucket.Signer.
func (b *Bucket) SignGet(ctx context.Context, key string, ttl time.Duration) (bucket.Signed, error) {
	if ttl < time.Second || ttl > maxTTL {
		return bucket.Signed{}, fmt.Errorf("sign get %s: %w", key, errTTL)
	}
	if err := bucket.CheckKey(key); err != nil {
		return bucket.Signed{}, fmt.Errorf("sign get: %w", err)
	}
	expires := time.Now().Add(ttl)
	r, err := b.presign.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &b.cfg.Bucket, Key: &key}, s3.WithPresignExpires(ttl))
	if err != nil {
		return bucket.Signed{}, fmt.Errorf("sign get %s: %w", key, err)
	}
	return signed(r, expires), nil
}

// SignPut implements bucket.Signer. Length, condition and checksum are signed headers: S3 ignores a checksum that was
// hoisted into the query, so a holder could then store any bytes.
func (b *Bucket) SignPut(ctx context.Context, key string, sum [32]byte, size int64, ttl time.Duration) (bucket.Signed, error) {
	if ttl < time.Second || ttl > maxTTL {
		return bucket.Signed{}, fmt.Errorf("sign put %s: %w", key, errTTL)
	}
	if err := bucket.CheckKey(key); err != nil {
		return bucket.Signed{}, fmt.Errorf("sign put: %w", err)
	}
	expires := time.Now().Add(ttl)
	r, err := b.presign.PresignPutObject(ctx, &s3.PutObjectInput{
		Bucket: &b.cfg.Bucket, Key: &key, ContentLength: &size, IfNoneMatch: aws.String("*"),
		ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(sum[:])),
	}, s3.WithPresignExpires(ttl))
	if err != nil {
		return bucket.Signed{}, fmt.Errorf("sign put %s: %w", key, err)
	}
	return signed(r, expires), nil
}

func signed(r *v4.PresignedHTTPRequest, expires time.Time) bucket.Signed {
	h := http.Header{}
	for name, values := range r.SignedHeader {
		if name != "Host" { // every client derives it from the URL
			h[http.CanonicalHeaderKey(name)] = values
		}
	}
	return bucket.Signed{Method: r.Method, URL: r.URL, Header: h, Expires: expires}
}

// withPayloadHash signs sum as the hash of the body, which the caller has computed already: the SDK need not hash the
// body once more, and the server checks the same sum a second time.
func withPayloadHash(sum [32]byte) func(*s3.Options) {
	hash := hex.EncodeToString(sum[:])
	return s3.WithAPIOptions(func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("SignalboxPayloadHash", func(
			ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
		) (middleware.InitializeOutput, middleware.Metadata, error) {
			return next.HandleInitialize(v4.SetPayloadHash(ctx, hash), in)
		}), middleware.Before)
	})
}
