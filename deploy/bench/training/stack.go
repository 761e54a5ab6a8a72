package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/signalbox-ml/signalbox/deploy/examples/flights"
	"github.com/signalbox-ml/signalbox/events/kafka"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket/s3bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog"
)

// endpoints are those of a stack, as endpoints.json has them.
type endpoints struct {
	Control  string `json:"control"`
	Predict  string `json:"predict"`
	Token    string `json:"token"`
	Kafka    string `json:"kafka"`
	Postgres string `json:"postgres"`
	S3       struct {
		Endpoint  string `json:"endpoint"`
		Region    string `json:"region"`
		Bucket    string `json:"bucket"`
		AccessKey string `json:"access_key"`
		SecretKey string `json:"secret_key"`
	} `json:"s3"`
}

func (e endpoints) bucket() s3bucket.Config {
	return s3bucket.Config{Endpoint: e.S3.Endpoint, Region: e.S3.Region, Bucket: e.S3.Bucket,
		AccessKey: e.S3.AccessKey, SecretKey: e.S3.SecretKey, PathStyle: true}
}

// stack is a running Signalbox with the example declared, and the ways into it.
type stack struct {
	*flights.Stack
	*flights.Client
	bin, dir string
	logFile  string
	log      *os.File
	catalog  *pgcatalog.Catalog
	store    *s3bucket.Bucket
	registry *registry.Registry
	kafka    kafka.Config
	others   []func() error // ends what was started for it, the last one first
}

// stackReady bounds a stack's start, a Python environment included.
const stackReady = 5 * time.Minute

// stack starts one in a folder of its own, with settings of training in YAML. Close it.
func (b *bench) stack(ctx context.Context, name, settings string) (*stack, error) {
	s := &stack{bin: b.bin, dir: filepath.Join(b.dir, name)}
	if err := os.RemoveAll(s.dir); err != nil { // of an earlier run with the same -keep
		return nil, err
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, err
	}
	config := filepath.Join(s.dir, "signalbox.yaml")
	if err := os.WriteFile(config, []byte("log_format: json\n"+settings), 0o600); err != nil {
		return nil, err
	}
	if err := s.openLog(); err != nil {
		return nil, err
	}
	var err error
	bounded, cancel := context.WithTimeoutCause(ctx, stackReady, fmt.Errorf("not within %s", stackReady))
	defer cancel()
	s.Stack, err = flights.StartStack(bounded, s.dir, s.log, filepath.Join(b.bin, "signalbox"), "up", "--config", config, "--data", s.dir,
		"--archive-max-age", "1s", "--listen", "127.0.0.1:0", "--predict-listen", "127.0.0.1:0", "--kafka-listen", "127.0.0.1:0", "--s3-listen", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w (log: %s)", err, s.logFile), s.log.Close())
	}
	if err := s.enter(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// enter opens the ways into the stack.
func (s *stack) enter(ctx context.Context) error {
	var err error
	if s.Client, err = s.Stack.Client(); err != nil {
		return err
	}
	b, err := os.ReadFile(filepath.Join(s.dir, "endpoints.json"))
	if err != nil {
		return err
	}
	var e endpoints
	if err := json.Unmarshal(b, &e); err != nil {
		return err
	}
	s.kafka = kafka.Config{Brokers: []string{e.Kafka}, ClientID: "bench"}
	if s.catalog, err = pgcatalog.Open(ctx, pgcatalog.Config{URL: e.Postgres}); err != nil {
		return err
	}
	if s.store, err = s3bucket.New(e.bucket()); err != nil {
		return err
	}
	s.registry, err = registry.New(registry.Config{Catalog: s.catalog, Store: cas.NewStore(s.store), Signer: s.store})
	return err
}

// declare applies documents, given as files by name, with the command that a user would take.
func (s *stack) declare(ctx context.Context, specs string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "signalbox"), "apply", "--data", s.dir, "-f", specs)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("signalbox apply: %w\n%s", err, out)
	}
	return nil
}

// example writes the specs of the example, each changed by edit, and declares them.
func (s *stack) example(ctx context.Context, edit func(name string, spec []byte) []byte) error {
	dir := filepath.Join(s.dir, "example")
	if err := os.CopyFS(dir, flights.Specs); err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Join(dir, "specs"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, "specs", e.Name())
		spec, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, edit(e.Name(), spec), 0o644); err != nil {
			return err
		}
	}
	return s.declare(ctx, filepath.Join(dir, "specs"))
}

// unchanged declares the example as it is.
func unchanged(_ string, spec []byte) []byte { return spec }

func (s *stack) openLog() (err error) {
	s.logFile = filepath.Join(s.dir, "signalbox.log")
	s.log, err = os.Create(s.logFile)
	return err
}

// close stops the stack.
func (s *stack) close() (err error) {
	if s.catalog != nil {
		s.catalog.Close()
	}
	if s.store != nil {
		s.store.Close()
	}
	if s.Stack != nil {
		err = s.Stop(time.Minute)
	}
	for _, end := range slices.Backward(s.others) {
		err = errors.Join(err, end())
	}
	if s.log != nil {
		err = errors.Join(err, s.log.Close())
	}
	return err
}
