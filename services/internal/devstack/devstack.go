// Package devstack runs the servers that `signalbox up` needs under one directory: a Kafka-protocol broker in this
// process, an S3 server and a private PostgreSQL as its children. They survive kill -9 at any moment; they are for one
// machine and for development.
package devstack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/signalbox-ml/signalbox/events/kafka/devbroker"
	"github.com/signalbox-ml/signalbox/registry/bucket/gateway"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog/pgserver"
)

// ErrInUse reports a directory that another process runs on.
var ErrInUse = errors.New("the data directory is in use by another signalbox")

// Config of a stack.
type Config struct {
	Dir       string // of everything; made where absent
	KafkaAddr string // host:port, port 0 is a free one
	S3Addr    string
	// DatabaseURL names a PostgreSQL that runs already; empty starts a private one.
	DatabaseURL string
	// PostgresDirs are searched last for PostgreSQL's binaries.
	PostgresDirs []string
	Log          *slog.Logger // nil discards
}

// Stack is a running set of servers.
type Stack struct {
	Secrets     Secrets
	Kafka       string // host:port of the broker
	S3          string // URL of the S3 server
	DatabaseURL string

	log    *slog.Logger
	lock   *flock.Flock
	broker *devbroker.Broker
	store  *gateway.Server
	db     *pgserver.Server // nil where DatabaseURL was given
}

// Start starts every server and returns when all answer. What was started is stopped again if one does not.
func Start(ctx context.Context, cfg Config) (stack *Stack, err error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	s := &Stack{log: cfg.Log, lock: flock.New(filepath.Join(cfg.Dir, "lock")), DatabaseURL: cfg.DatabaseURL}
	held, err := s.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", cfg.Dir, err)
	}
	if !held {
		return nil, fmt.Errorf("%s: %w: stop it, or choose another directory with --data", cfg.Dir, ErrInUse)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop(context.WithoutCancel(ctx)))
		}
	}()
	if s.Secrets, err = LoadSecrets(cfg.Dir); err != nil {
		return nil, err
	}
	if s.broker, err = devbroker.Start(devbroker.Config{Dir: filepath.Join(cfg.Dir, "broker"), Addr: cfg.KafkaAddr, Log: cfg.Log}); err != nil {
		return nil, fmt.Errorf("start broker: %w", occupied(err, cfg.KafkaAddr, "--kafka-listen"))
	}
	s.Kafka = s.broker.Addr()
	if s.store, err = gateway.Start(ctx, gateway.Config{
		Dir: filepath.Join(cfg.Dir, "s3"), Addr: cfg.S3Addr, AccessKey: s.Secrets.S3AccessKey, SecretKey: s.Secrets.S3SecretKey,
	}); err != nil {
		return nil, fmt.Errorf("start object store: %w", occupied(err, cfg.S3Addr, "--s3-listen"))
	}
	s.S3 = s.store.Endpoint()
	if cfg.DatabaseURL == "" {
		if s.db, err = startPostgres(ctx, cfg, s.Secrets); err != nil {
			return nil, fmt.Errorf("start PostgreSQL: %w", err)
		}
		s.DatabaseURL = s.db.URL()
	}
	return s, nil
}

// occupied says what to do about an address that somebody else listens on.
func occupied(err error, addr, flag string) error {
	if !errors.Is(err, syscall.EADDRINUSE) {
		return err
	}
	return fmt.Errorf("%w: stop what listens on %s, or choose another address with %s (port 0 is a free one)", err, addr, flag)
}

// Run watches the servers until ctx ends, then stops them. A server that ends by itself is an error.
func (s *Stack) Run(ctx context.Context) error {
	var db <-chan struct{}
	if s.db != nil {
		db = s.db.Done()
	}
	var died error
	select {
	case <-ctx.Done():
	case <-s.store.Done():
		died = fmt.Errorf("object store ended: %w", s.store.Wait())
	case <-db:
		died = errors.New("PostgreSQL ended: see postgres/postgres.log in the data directory")
	}
	return errors.Join(died, s.Stop(context.WithoutCancel(ctx)))
}

// stopTimeout bounds the stop of each server.
const stopTimeout = 15 * time.Second

// Stop stops every server that runs. Calling it again does nothing.
func (s *Stack) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	var faults []error
	if s.db != nil {
		faults = append(faults, s.db.Stop(ctx))
	}
	if s.store != nil {
		faults = append(faults, s.store.Stop(ctx))
	}
	if s.broker != nil {
		faults = append(faults, s.broker.Close())
	}
	s.db, s.store, s.broker = nil, nil, nil
	return errors.Join(append(faults, s.lock.Unlock())...)
}
