package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/signalbox-ml/signalbox/events/kafka/kafkatest"
	"github.com/signalbox-ml/signalbox/registry/bucket/buckettest/minio"
	"github.com/signalbox-ml/signalbox/registry/bucket/s3bucket"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog/pgserver"
)

// bucketName is where the subjects write.
const bucketName = "signalbox"

// servers are what the archive stands on, each a process of its own that can be killed.
type servers struct {
	dir string
	log *os.File

	mu     sync.Mutex // guards what a kill replaces
	broker *kafkatest.Apache
	db     *pgserver.Server
	store  *miniotest.Server

	kafkaAddr, pgURL, pgAddr string
}

// startServers starts all of them at once. What started is stopped by close, also after an error.
func startServers(ctx context.Context, dir string, log *os.File) (*servers, error) {
	s := &servers{dir: dir, log: log}
	addrs, err := s.steady()
	if err != nil {
		return s, err
	}
	var wg sync.WaitGroup
	faults := make([]error, 3)
	wg.Go(func() { s.broker, faults[0] = kafkatest.StartApache(ctx, filepath.Join(dir, "kafka")) })
	wg.Go(func() { s.db, faults[1] = pgserver.Start(ctx, s.pgConfig(addrs[2])) })
	wg.Go(func() { s.store, faults[2] = miniotest.Start(ctx, filepath.Join(dir, "minio"), log) })
	wg.Wait()
	if err := errors.Join(faults...); err != nil {
		return s, err
	}
	s.kafkaAddr, s.pgURL = s.broker.Addr(), s.db.URL()
	u, err := url.Parse(s.pgURL)
	if err != nil {
		return s, err
	}
	s.pgAddr = u.Host
	b, err := s.bucket(s.store.Endpoint)
	if err != nil {
		return s, err
	}
	defer b.Close()
	return s, b.EnsureBucket(ctx)
}

// pgConfig keeps the promises of a commit: a killed server loses nothing.
func (s *servers) pgConfig(addr string) pgserver.Config {
	return pgserver.Config{Dir: filepath.Join(s.dir, "postgres"), Addr: addr}
}

func (s *servers) bucket(endpoint string) (*s3bucket.Bucket, error) {
	return s3bucket.New(s3bucket.Config{Endpoint: endpoint, Bucket: bucketName, PathStyle: true,
		AccessKey: s.store.AccessKey, SecretKey: s.store.SecretKey})
}

// killBroker kills the broker and starts it again on its port; between is called while it is dead.
func (s *servers) killBroker(ctx context.Context, between func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broker.Kill()
	if err := between(); err != nil {
		return err
	}
	again, err := kafkatest.StartApache(ctx, filepath.Join(s.dir, "kafka"))
	if err != nil {
		return err
	}
	s.broker = again
	if again.Addr() != s.kafkaAddr {
		return fmt.Errorf("the broker came back at %s, not at %s: another program took its port", again.Addr(), s.kafkaAddr)
	}
	return nil
}

// killPostgres kills the database and starts it again on its port.
func (s *servers) killPostgres(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.db.Kill()
	again, err := pgserver.Start(ctx, s.pgConfig(s.pgAddr))
	if err == nil {
		s.db = again
	}
	return err
}

// close stops what runs. Nothing of it is left behind.
func (s *servers) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var faults []error
	if s.broker != nil {
		s.broker.Kill()
	}
	if s.db != nil {
		faults = append(faults, s.db.Stop(ctx))
	}
	if s.store != nil {
		faults = append(faults, s.store.Stop(ctx))
	}
	return errors.Join(faults...)
}

// steady picks the addresses of servers that are killed: two of the broker, whose ports it finds in files, and that of the
// database.
func (s *servers) steady() ([]string, error) {
	addrs, err := steadyAddrs(3)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(s.dir, "kafka")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	for i, name := range []string{"port.clients", "port.controller"} {
		_, port, err := net.SplitHostPort(addrs[i])
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(port), 0o600); err != nil {
			return nil, err
		}
	}
	return addrs, nil
}

// steadyAddrs are free addresses below the ports that systems give to clients, so that nobody gets one between two starts:
// not even a client that looks for the server, which the kernel could connect with itself.
func steadyAddrs(n int) ([]string, error) {
	var addrs []string
	for port := 15_000 + os.Getpid()%10_000; port < 30_000 && len(addrs) < n; port++ {
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		if l, err := net.Listen("tcp", addr); err == nil {
			defer l.Close() // all of them at the end, so that none is found twice
			addrs = append(addrs, addr)
		}
	}
	if len(addrs) < n {
		return nil, errors.New("too few free ports between 15000 and 30000")
	}
	return addrs, nil
}
