package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// runs is what the machine reads and changes of runs.
type runs interface {
	Runs(ctx context.Context, f registry.RunFilter) ([]registry.Run, error)
	Run(ctx context.Context, id registry.RunID) (registry.Run, error)
	QueueRun(ctx context.Context, id registry.RunID, class string) (registry.Run, error)
	NoteRun(ctx context.Context, id registry.RunID, attempt int, reason string) (registry.Run, error)
	StartRun(ctx context.Context, id registry.RunID, attempt int, artifacts map[string]string) (registry.Run, error)
	RetryRun(ctx context.Context, id registry.RunID, attempt int, class, reason string) (registry.Run, error)
	FailRun(ctx context.Context, id registry.RunID, attempt int, e events.Exception, artifacts map[string]string) (registry.Run, error)
}

// inputs is what a job is made of.
type inputs interface {
	DatasetManifest(ctx context.Context, id cas.Digest) (manifest.Dataset, error)
	Workflow(ctx context.Context, digest cas.Digest) (spec.Workflow, error)
}

// TokenMinter makes the credential with which one attempt of one run reports.
type TokenMinter interface {
	Mint(run registry.RunID, attempt int) (string, error)
}

// Config of a Machine.
type Config struct {
	Runs   runs          // required; a *registry.Registry
	Inputs inputs        // required; a *registry.Registry
	Bucket bucket.Bucket // required: logs are copied there
	Signer bucket.Signer // required: jobs read their inputs by signed requests
	Tokens TokenMinter   // required
	Tracer trace.Tracer  // nil: no spans
	Log    *slog.Logger  // nil: discard
	// Classes are what compute_resource may name; at least one. A request that names none gets DefaultClass, or the first.
	Classes []Class
	// Projects bound and rank the runs of projects by name, EachProject those of all others.
	Projects    map[string]Project
	EachProject Project
	// API is the URL at which jobs reach the control plane; required.
	API string
	// BucketName is the name of Bucket in s3:// paths of requests; "" refuses paths.
	BucketName string
	// Poll is the time between two looks; 0 means 1s.
	Poll time.Duration
	// Aging is how long a run must wait to count one point of priority more; 0 means 1min.
	Aging time.Duration
	// MaxParallel bounds the jobs at once; 0 means 2.
	MaxParallel int
	// MaxAttempts bounds the attempts of a run that keeps failing; 0 means 3.
	MaxAttempts int
	// RetryDelay is the wait before the second attempt, doubled before each further one; 0 means 1s.
	RetryDelay time.Duration
	// Deadline ends an attempt that takes longer; 0 means never.
	Deadline time.Duration
	// SignFor is how long a job may read its inputs; 0 means 12h.
	SignFor time.Duration
	// MaxLog bounds what is kept of an attempt's log, in bytes; 0 means 64 MiB.
	MaxLog int64
	// Sweep is the time between two searches for jobs that no run wants any more; 0 means 1min.
	Sweep time.Duration
	// Drain bounds what is under way when Run is told to stop; 0 means 10s.
	Drain time.Duration
}

func (c Config) withDefaults() Config {
	c.Poll = cmp.Or(c.Poll, time.Second)
	c.MaxParallel = cmp.Or(c.MaxParallel, 2)
	c.MaxAttempts = cmp.Or(c.MaxAttempts, 3)
	c.RetryDelay = cmp.Or(c.RetryDelay, time.Second)
	c.Aging = cmp.Or(c.Aging, time.Minute)
	c.Sweep = cmp.Or(c.Sweep, time.Minute)
	c.SignFor = cmp.Or(c.SignFor, 12*time.Hour)
	c.MaxLog = cmp.Or(c.MaxLog, 64<<20)
	c.Drain = cmp.Or(c.Drain, 10*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c Config) validate() error {
	var errs []error
	need := func(ok bool, what string) {
		if !ok {
			errs = append(errs, errors.New(what))
		}
	}
	need(c.Runs != nil && c.Inputs != nil, "runs or inputs is missing")
	need(c.Bucket != nil && c.Signer != nil, "bucket or signer is missing")
	need(c.Tokens != nil, "tokens is missing")
	need(c.API != "", "api is missing: jobs would have nowhere to report")
	need(c.Poll > 0 && c.RetryDelay > 0 && c.SignFor > 0 && c.Drain > 0 && c.Deadline >= 0 && c.Aging > 0 && c.Sweep > 0,
		"a duration is negative")
	need(c.MaxParallel > 0 && c.MaxAttempts > 0 && c.MaxLog > 0, "a limit is negative")
	return errors.Join(append(errs, classes(c.Classes).validate())...)
}

// Machine moves runs. No two of them may share a Backend.
type Machine struct {
	cfg      Config
	classes  classes
	attempts metric.Float64Histogram
	kick     chan struct{}
	// These belong to Run.
	jobs    map[Attempt]*job // followed attempts
	notes   notes
	sweeper sweeper
	listed  time.Time // when those who wait were last listed
}

// attemptOf is the attempt at which a run is, and what it runs on.
type attemptOf struct {
	run   registry.Run
	class Class
	fresh bool // queued by this look, so that no backend knows it
}

func (a attemptOf) id() Attempt { return Attempt{a.run.ID, a.run.Attempt} }

// New returns a Machine.
func New(cfg Config) (*Machine, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("train config: %w", err)
	}
	attempts, err := otel.Meter("github.com/signalbox-ml/signalbox/consumers/train").Float64Histogram("signalbox.train.attempt.duration",
		metric.WithUnit("s"), metric.WithDescription("Time from an attempt's start to its end, by model and job state."))
	if err != nil {
		return nil, fmt.Errorf("train metrics: %w", err)
	}
	return &Machine{cfg: cfg, attempts: attempts, kick: make(chan struct{}, 1), classes: cfg.Classes,
		jobs: map[Attempt]*job{}, notes: notes{known: map[Attempt]string{}}}, nil
}

// Handle implements events.Handler: every event of a run is a hint to look now.
func (m *Machine) Handle(context.Context, events.Event) error {
	m.Look()
	return nil
}

// Look makes the next look come now: something may have changed. It does not wait for it.
func (m *Machine) Look() {
	select {
	case m.kick <- struct{}{}:
	default: // a look is due already
	}
}

// Run looks after runs until ctx ends. Jobs under way are left to the backend; the log that they wrote is copied first.
func (m *Machine) Run(ctx context.Context) error {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(m.cfg.Drain, cancel) })()

	if err := m.adopt(work); err != nil {
		m.cfg.Log.WarnContext(ctx, "logs of earlier runs not complete", "error", err)
	}
	tick := time.NewTicker(m.cfg.Poll)
	defer tick.Stop()
	for ctx.Err() == nil {
		m.look(work)
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-m.kick:
		}
	}
	m.leave(work)
	return nil
}
