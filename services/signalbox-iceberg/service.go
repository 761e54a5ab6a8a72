package main

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive/icebergview"
	"github.com/signalbox-ml/signalbox/registry/bucket/s3bucket"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog"
	"github.com/signalbox-ml/signalbox/services/internal/config"
	"github.com/signalbox-ml/signalbox/services/internal/lifecycle"
	"github.com/signalbox-ml/signalbox/services/internal/telemetry"
)

const (
	// lock makes one publisher work at a time, so that none does in vain. The tables would not need it.
	lock = "iceberg"
	// httpDrain bounds how long requests under way may take when the process stops.
	httpDrain = 10 * time.Second
)

// service is what the program runs on.
type service struct {
	cfg       config.Config
	tel       *telemetry.Telemetry
	catalog   *pgcatalog.Catalog
	bucket    *s3bucket.Bucket
	publisher *icebergview.Publisher
}

func open(ctx context.Context, cfg config.Config, tel *telemetry.Telemetry) (*service, error) {
	b, err := s3bucket.New(s3bucket.Config{
		Endpoint: cfg.S3.Endpoint, Region: cfg.S3.Region, Bucket: cfg.S3.Bucket, AccessKey: cfg.S3.AccessKey, SecretKey: cfg.S3.SecretKey,
		PathStyle: cfg.S3.Endpoint != "",
	})
	if err != nil {
		return nil, err
	}
	c, err := pgcatalog.Open(ctx, pgcatalog.Config{URL: cfg.DatabaseURL, MaxConns: 2, Log: tel.Log})
	if err != nil {
		b.Close()
		return nil, err
	}
	s := &service{cfg: cfg, tel: tel, catalog: c, bucket: b}
	if err := s.prepare(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *service) prepare(ctx context.Context) (err error) {
	if err := s.catalog.Migrate(ctx); err != nil {
		return err
	}
	cfg := s.cfg.Archive.Iceberg
	s.publisher, err = icebergview.New(icebergview.Config{
		Ledger: s.catalog.Ledger(), Views: s.catalog.Views(), Bucket: s.bucket, BucketName: s.cfg.S3.Bucket,
		Catalog: cfg.Catalog, Namespace: cfg.Namespace, Interval: cfg.Interval, Snapshots: cfg.Snapshots, Retain: cfg.Retain, Log: s.tel.Log,
	})
	if err != nil {
		return err
	}
	return observe(s.publisher.Stats)
}

func (s *service) close() {
	s.catalog.Close()
	s.bucket.Close()
}

// run publishes until ctx ends.
func (s *service) run(ctx context.Context) error {
	group := lifecycle.Group{Log: s.tel.Log}
	if s.cfg.HealthListen != "" {
		rt, err := s.router()
		if err != nil {
			return err
		}
		l, err := net.Listen("tcp", s.cfg.HealthListen)
		if err != nil {
			return fmt.Errorf("health_listen: %w", err)
		}
		s.tel.Log.InfoContext(ctx, "health and metrics", "address", l.Addr().String())
		group.Add("health", lifecycle.Serve(l, rt, httpDrain))
	}
	group.Add("publisher", s.turns)
	return group.Run(ctx)
}

// turns publishes while nobody else in the database does, and waits for its turn otherwise.
func (s *service) turns(ctx context.Context) error {
	for {
		err := s.catalog.Lock(ctx, lock, s.publisher.Run)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // told to stop, so whatever ended the turn is no fault
		}
		s.tel.Log.WarnContext(ctx, "turn lost, trying again", "lock", lock, "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}
