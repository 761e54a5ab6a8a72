package tune

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
)

// sweeps is what the worker reads and changes of sweeps.
type sweeps interface {
	Sweeps(ctx context.Context, f registry.SweepFilter) ([]registry.Sweep, error)
	Sweep(ctx context.Context, id registry.SweepID) (registry.Sweep, error)
	RequestTrial(ctx context.Context, s registry.Sweep, n int) (run registry.Run, created bool, err error)
	CompleteSweep(ctx context.Context, id registry.SweepID, best registry.RunID, reason string) (registry.Sweep, error)
	FailSweep(ctx context.Context, id registry.SweepID, reason string) (registry.Sweep, error)
}

// runs is what the worker reads and changes of runs.
type runs interface {
	Runs(ctx context.Context, f registry.RunFilter) ([]registry.Run, error)
	Run(ctx context.Context, id registry.RunID) (registry.Run, error)
	CancelRun(ctx context.Context, id registry.RunID, reason string) (registry.Run, error)
}

// Config of a Worker.
type Config struct {
	Sweeps sweeps        // required; a *registry.Registry
	Runs   runs          // required; a *registry.Registry
	Bucket bucket.Bucket // required: the figures of trials are there
	Log    *slog.Logger  // nil: discard
	// Poll is the time between two looks; 0 means 1s.
	Poll time.Duration
	// Drain bounds what is under way when Run is told to stop; 0 means 10s.
	Drain time.Duration
}

func (c Config) withDefaults() Config {
	c.Poll = cmp.Or(c.Poll, time.Second)
	c.Drain = cmp.Or(c.Drain, 10*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c Config) validate() error {
	var errs []error
	if c.Sweeps == nil || c.Runs == nil {
		errs = append(errs, errors.New("sweeps or runs is missing"))
	}
	if c.Bucket == nil {
		errs = append(errs, errors.New("bucket is missing"))
	}
	if c.Poll < 0 || c.Drain < 0 {
		errs = append(errs, errors.New("poll or drain is negative"))
	}
	return errors.Join(errs...)
}

// Worker moves sweeps. More than one at a time do no harm, and no good.
type Worker struct {
	cfg  Config
	kick chan struct{}
	// These belong to Run, and save it reading the same twice: final trials, which nothing changes, and the figures of those
	// under way.
	known  map[registry.RunID]trial
	series map[registry.RunID]*series
	// The sweeps that ran at the last look, and when trials of ended ones were last searched for.
	before   []registry.SweepID
	searched time.Time
}

// New returns a Worker.
func New(cfg Config) (*Worker, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("tune config: %w", err)
	}
	return &Worker{cfg: cfg, kick: make(chan struct{}, 1), known: map[registry.RunID]trial{}, series: map[registry.RunID]*series{}}, nil
}

// Handle implements events.Handler: every event of a sweep or a run is a hint to look now.
func (w *Worker) Handle(context.Context, events.Event) error {
	select {
	case w.kick <- struct{}{}:
	default: // a look is due already
	}
	return nil
}

// Run looks after sweeps until ctx ends. Trials under way are left to go on.
func (w *Worker) Run(ctx context.Context) error {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(w.cfg.Drain, cancel) })()
	tick := time.NewTicker(w.cfg.Poll)
	defer tick.Stop()
	for ctx.Err() == nil {
		w.look(work)
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-w.kick:
		}
	}
	return nil
}
