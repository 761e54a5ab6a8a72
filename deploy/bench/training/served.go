package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/signalbox-ml/signalbox/deploy/bench/internal/rig"
	"github.com/signalbox-ml/signalbox/deploy/examples/flights"
)

// served starts `signalbox serve` with every role but prediction on Apache Kafka, PostgreSQL and MinIO, each of them a
// process of its own: what its process takes is Signalbox's alone, where that of `signalbox up` holds the log too.
func (b *bench) served(ctx context.Context, name, settings string) (_ *stack, err error) {
	s := &stack{bin: b.bin}
	defer func() {
		if err != nil {
			log, _ := os.ReadFile(s.logFile) // it goes with the folder
			err = errors.Join(fmt.Errorf("%w\n%s", err, log[max(0, len(log)-4096):]), s.close())
		}
	}()
	dir, remove, err := rig.Dir("bench-" + name)
	if err != nil {
		return nil, err
	}
	s.dir, s.others = dir, append(s.others, remove)
	if err := s.openLog(); err != nil {
		return nil, err
	}
	e, err := s.servers(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.launch(e, settings); err != nil {
		return nil, err
	}
	probe := http.Client{Timeout: 5 * time.Second}
	if err := until(ctx, "signalbox serve to be ready", func() (bool, error) {
		if err := s.Ready(ctx); err != nil { // it has ended
			return false, err
		}
		resp, err := probe.Get(e.Control + "/readyz")
		if err != nil {
			return false, nil //nolint:nilerr // nobody listens yet
		}
		return resp.StatusCode == http.StatusOK, resp.Body.Close()
	}); err != nil {
		return nil, err
	}
	return s, s.enter(ctx)
}

// servers starts what Signalbox stands on.
func (s *stack) servers(ctx context.Context) (endpoints, error) {
	var e endpoints
	servers, err := rig.StartServers(ctx, s.dir, s.log)
	if err != nil {
		return e, err
	}
	s.others = append(s.others, servers.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return e, err
	}
	store := servers.Bucket("signalbox")
	e.Control, e.Kafka, e.Postgres = "http://"+l.Addr().String(), servers.Kafka.Addr(), servers.Postgres.URL()
	e.S3.Endpoint, e.S3.Region, e.S3.Bucket = store.Endpoint, store.Region, store.Bucket
	e.S3.AccessKey, e.S3.SecretKey = store.AccessKey, store.SecretKey
	if err := l.Close(); err != nil {
		return e, err
	}
	return e, servers.NewBucket(ctx, store.Bucket)
}

// launch starts the process, and leaves its endpoints where the command line looks for them.
func (s *stack) launch(e endpoints, settings string) error {
	program, tokens := filepath.Join(s.bin, "signalbox"), filepath.Join(s.dir, "tokens.json")
	out, err := exec.Command(program, "token", "new", "--name", "bench", "--role", "admin", "-o", "json").Output()
	if err != nil {
		return fmt.Errorf("signalbox token new: %w", err)
	}
	var made struct {
		Token string
		Entry json.RawMessage
	}
	if err := json.Unmarshal(out, &made); err != nil {
		return err
	}
	if err := os.WriteFile(tokens, fmt.Appendf(nil, "[%s]", made.Entry), 0o600); err != nil {
		return err
	}
	e.Token = made.Token
	config := fmt.Sprintf(`log_format: json
tokens: %q
token: %q
listen: %s
predict_listen: 127.0.0.1:0
run_key: 0123456789abcdef0123456789abcdef
database_url: %q
kafka: {brokers: [%q]}
s3: {endpoint: %q, region: %s, bucket: %s, access_key: %q, secret_key: %q}
%s`, tokens, e.Token, e.Control[len("http://"):], e.Postgres, e.Kafka, e.S3.Endpoint, e.S3.Region, e.S3.Bucket, e.S3.AccessKey, e.S3.SecretKey, settings)
	file := filepath.Join(s.dir, "signalbox.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return err
	}
	if s.Stack, err = flights.LaunchStack(s.dir, s.log, program, "serve", "control", "archive", "generate", "train", "evaluate",
		"--config", file, "--data", filepath.Join(s.dir, "data"), "--archive-max-age", "1s"); err != nil {
		return err
	}
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.dir, "endpoints.json"), text, 0o600)
}
