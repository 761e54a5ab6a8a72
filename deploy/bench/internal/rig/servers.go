// Package rig sets up what benchmarks measure: real servers, each a process of its own, and Signalbox's own processes.
package rig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox-ml/signalbox/events/kafka"
	"github.com/signalbox-ml/signalbox/events/kafka/kafkatest"
	"github.com/signalbox-ml/signalbox/registry/bucket/buckettest/minio"
	"github.com/signalbox-ml/signalbox/registry/bucket/s3bucket"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog/pgserver"
)

// Servers are Apache Kafka, PostgreSQL and MinIO.
type Servers struct {
	Kafka    *kafkatest.Apache
	Postgres *pgserver.Server
	S3       *miniotest.Server
	ends     []func() error // the last one first
}

// StartServers starts them with their data in folders of dir, which PostgreSQL's user must be able to reach. Close them.
func StartServers(ctx context.Context, dir string, log io.Writer) (_ *Servers, err error) {
	s := &Servers{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.Kafka, err = kafkatest.StartApache(ctx, filepath.Join(dir, "kafka")); err != nil {
		return nil, err
	}
	s.ends = append(s.ends, func() error { s.Kafka.Close(); return nil })
	if s.Postgres, err = pgserver.Start(ctx, pgserver.Config{Dir: filepath.Join(dir, "postgres"), Log: log}); err != nil {
		return nil, err
	}
	s.ends = append(s.ends, func() error { return s.Postgres.Stop(context.WithoutCancel(ctx)) })
	if s.S3, err = miniotest.Start(ctx, filepath.Join(dir, "minio"), log); err != nil {
		return nil, err
	}
	s.ends = append(s.ends, func() error { return s.S3.Stop(context.WithoutCancel(ctx)) })
	return s, nil
}

// Close stops them.
func (s *Servers) Close() (err error) {
	for _, end := range slices.Backward(s.ends) {
		err = errors.Join(err, end())
	}
	s.ends = nil
	return err
}

// Log is how to reach Kafka.
func (s *Servers) Log() kafka.Config { return s.Kafka.Config() }

// Bucket is how to reach one of MinIO.
func (s *Servers) Bucket(name string) s3bucket.Config {
	return s3bucket.Config{
		Endpoint: s.S3.Endpoint, Region: "us-east-1", Bucket: name, AccessKey: s.S3.AccessKey, SecretKey: s.S3.SecretKey, PathStyle: true,
	}
}

// NewBucket makes a bucket.
func (s *Servers) NewBucket(ctx context.Context, name string) error {
	b, err := s3bucket.New(s.Bucket(name))
	if err != nil {
		return err
	}
	defer b.Close()
	return b.EnsureBucket(ctx)
}

// NewDatabase makes a database and returns its URL.
func (s *Servers) NewDatabase(ctx context.Context, name string) (string, error) {
	conn, err := pgx.Connect(ctx, s.Postgres.URL())
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()); err != nil {
		return "", err
	}
	at, query, _ := strings.Cut(s.Postgres.URL(), "?")
	return at[:strings.LastIndexByte(at, '/')+1] + name + "?" + query, nil
}

// Dir makes a folder that PostgreSQL's user can reach, which that of the caller may not allow, and the function to remove it.
func Dir(name string) (dir string, remove func() error, err error) {
	if dir, err = os.MkdirTemp("", "signalbox-"+name+"-"); err != nil {
		return "", nil, err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", nil, fmt.Errorf("%s: %w", dir, err)
	}
	return dir, func() error { return os.RemoveAll(dir) }, nil
}
