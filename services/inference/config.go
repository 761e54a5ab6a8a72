package inference

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	gort "runtime"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/tagwatch"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/remote"
	"github.com/signalbox-ml/signalbox/services/inference/runtime"
)

// source is where packages come from: a *remote.Client.
type source interface {
	// Package returns the manifest's exact bytes.
	Package(ctx context.Context, id cas.Digest) ([]byte, error)
	// PackageFiles returns signed reads of the package's files, and the policy of its model.
	PackageFiles(ctx context.Context, id cas.Digest) (remote.Files, error)
	// Fetch runs a signed read.
	Fetch(ctx context.Context, get bucket.Signed) (io.ReadCloser, error)
}

// tagView says what to serve: a *tagwatch.Watch.
type tagView interface {
	View() tagwatch.View
	Changed() <-chan struct{}
}

// recorder takes prediction events without waiting and reports false where it dropped one: a *kafka.Producer.
type recorder interface {
	TryPublish(ev events.Event) bool
}

// LoaderConfig configures a Loader.
type LoaderConfig struct {
	// Dir is the cache's directory. It must belong to this Loader alone.
	Dir string
	// Source is where packages come from.
	Source source
	// Runtimes are the engines by the name that signatures have for them.
	Runtimes map[string]runtime.Runtime
	// MaxPackage bounds a package, in bytes; 0 means 8 GiB.
	MaxPackage int64
	// LoadTimeout bounds fetching, loading and checking one package; 0 means 10 min.
	LoadTimeout time.Duration
	Log         *slog.Logger
}

func (c LoaderConfig) withDefaults() LoaderConfig {
	c.MaxPackage = cmp.Or(c.MaxPackage, 8<<30)
	c.LoadTimeout = cmp.Or(c.LoadTimeout, 10*time.Minute)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c LoaderConfig) validate() error {
	var faults []error
	if c.Dir == "" || c.Source == nil || len(c.Runtimes) == 0 {
		faults = append(faults, errors.New("inference: Dir, Source and Runtimes are required"))
	}
	if c.MaxPackage < 0 || c.LoadTimeout < 0 {
		faults = append(faults, errors.New("inference: MaxPackage or LoadTimeout is negative"))
	}
	return errors.Join(faults...)
}

// Config of a Server.
type Config struct {
	LoaderConfig
	// Tags says what to serve; its Run must run beside the Server's.
	Tags tagView
	// Recorder takes a prediction.made event for each row; nil keeps no record.
	Recorder recorder
	// Origin is the source of those events; "" means /signalbox/inference.
	Origin string
	// Concurrency is how many requests compute at once with native engines; 0 means one for each processor. Python
	// models have a queue of their own.
	Concurrency int
	// Queue is how many requests may wait for that, and QueueWait how long; 0 means 256 and 250 ms.
	Queue     int
	QueueWait time.Duration
	// MaxInFlight bounds the requests whose bodies are in memory; 0 means 1024.
	MaxInFlight int
	// MinGenerationWait bounds how long a request waits for the generation that it asks for; 0 means 5 s.
	MinGenerationWait time.Duration
	// MaxPinned is how many packages that no tag points at stay loaded for requests by digest; 0 means 4.
	MaxPinned int
	// MinRetry and MaxRetry bound the pause before a load that failed is tried again; 0 means 500 ms and 1 min.
	MinRetry, MaxRetry time.Duration
	// PolicyEvery is the time between two looks at the policies of served models; 0 means 1 min.
	PolicyEvery time.Duration
	// Drain bounds how long a stop waits for requests and for events to be handed over; 0 means 20 s.
	Drain time.Duration
}

func (c Config) withDefaults() Config {
	c.LoaderConfig = c.LoaderConfig.withDefaults()
	c.Origin = cmp.Or(c.Origin, "/signalbox/inference")
	c.Concurrency = cmp.Or(c.Concurrency, gort.GOMAXPROCS(0))
	c.Queue = cmp.Or(c.Queue, 256)
	c.QueueWait = cmp.Or(c.QueueWait, 250*time.Millisecond)
	c.MaxInFlight = cmp.Or(c.MaxInFlight, 1024)
	c.MinGenerationWait = cmp.Or(c.MinGenerationWait, 5*time.Second)
	c.MaxPinned = cmp.Or(c.MaxPinned, 4)
	c.MinRetry = cmp.Or(c.MinRetry, 500*time.Millisecond)
	c.MaxRetry = cmp.Or(c.MaxRetry, max(c.MinRetry, time.Minute))
	c.PolicyEvery = cmp.Or(c.PolicyEvery, time.Minute)
	c.Drain = cmp.Or(c.Drain, 20*time.Second)
	return c
}

func (c Config) validate() error {
	faults := []error{c.LoaderConfig.validate()}
	if c.Tags == nil {
		faults = append(faults, errors.New("inference: Tags is required"))
	}
	for _, n := range []struct {
		name string
		n    int
	}{{"Concurrency", c.Concurrency}, {"Queue", c.Queue}, {"MaxInFlight", c.MaxInFlight}, {"MaxPinned", c.MaxPinned}} {
		if n.n < 1 {
			faults = append(faults, fmt.Errorf("inference: %s %d: want at least 1", n.name, n.n))
		}
	}
	if c.QueueWait < 0 || c.MinGenerationWait < 0 || c.MinRetry < 0 || c.MaxRetry < c.MinRetry || c.PolicyEvery < 0 || c.Drain < 0 {
		faults = append(faults, errors.New("inference: a duration is negative, or MaxRetry below MinRetry"))
	}
	return errors.Join(faults...)
}
