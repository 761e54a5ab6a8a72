// Package s3bucket is a bucket on an S3-compatible server. It leans on three powers of the server, which package probe
// checks: create-only writes, full-object SHA-256 checksums, and signed headers. It uses no multipart uploads, as no
// server can check a full SHA-256 on them; an object therefore has at most 5 GiB.
package s3bucket

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Bucket is one bucket of one server. It is safe for concurrent use.
type Bucket struct {
	cfg     Config
	client  *s3.Client
	presign *s3.PresignClient
}

// New returns the bucket that cfg names. It does not connect.
func New(cfg Config) (*Bucket, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("configure the S3 bucket: %w", err)
	}
	o := s3.Options{
		Region:       cfg.Region,
		UsePathStyle: cfg.PathStyle,
		HTTPClient:   cfg.HTTPClient,
		Retryer:      newRetryer(cfg.Attempts),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: cfg.AccessKey, SecretAccessKey: cfg.SecretKey, SessionToken: cfg.SessionToken}, nil
		}),
		// Many servers refuse the CRC trailer that the SDK adds by default; callers bring a SHA-256 instead.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	}
	if cfg.Endpoint != "" {
		o.BaseEndpoint = aws.String(cfg.Endpoint)
	}
	client := s3.New(o)
	return &Bucket{cfg: cfg, client: client, presign: s3.NewPresignClient(client)}, nil
}

// EnsureBucket creates the bucket where it is absent.
func (b *Bucket) EnsureBucket(ctx context.Context) error {
	_, err := b.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &b.cfg.Bucket})
	if err == nil {
		return nil
	}
	if status(err) != 404 {
		return fmt.Errorf("look for bucket %s: check endpoint and credentials: %w", b.cfg.Bucket, err)
	}
	in := &s3.CreateBucketInput{Bucket: &b.cfg.Bucket}
	if b.cfg.Region != "us-east-1" { // S3 refuses the name of its first region here
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{
			LocationConstraint: types.BucketLocationConstraint(b.cfg.Region),
		}
	}
	if _, err = b.client.CreateBucket(ctx, in); err != nil && code(err) != "BucketAlreadyOwnedByYou" {
		return fmt.Errorf("create bucket %s: %w", b.cfg.Bucket, err)
	}
	return nil
}

// Close drops idle connections, so that a server that is about to stop need not wait for them.
func (b *Bucket) Close() { b.cfg.HTTPClient.CloseIdleConnections() }
