package generate

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/generate/compile"
	"go.opentelemetry.io/otel/metric"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// Generator builds datasets as their windows settle. It is an events.Handler for archive.sealed.
type Generator struct {
	cfg      Config
	cache    *cache
	wake     chan struct{}
	building chan struct{}
	progress map[string]*progress // by spec name; only Run uses it
	causes   causes
	builds   metric.Float64Histogram
}

var _ events.Handler = (*Generator)(nil)

// New returns a generator; Run makes it work. It takes over the cache of an earlier process.
func New(cfg Config) (*Generator, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(cfg.CacheDir)
	if err != nil {
		return nil, fmt.Errorf("generate: %w", err)
	}
	cfg.CacheDir = dir
	leftovers, _ := filepath.Glob(filepath.Join(dir, "build-*")) // of builds that a crash cut short; the pattern is well formed
	for _, l := range leftovers {
		if err := os.RemoveAll(l); err != nil {
			return nil, fmt.Errorf("generate: %w", err)
		}
	}
	c, err := openCache(filepath.Join(dir, "archive"), cfg.CacheBytes, cfg.Bucket)
	if err != nil {
		return nil, fmt.Errorf("generate: %w", err)
	}
	builds, err := meter()
	if err != nil {
		return nil, fmt.Errorf("generate: %w", err)
	}
	return &Generator{
		cfg: cfg, cache: c, builds: builds, wake: make(chan struct{}, 1), building: make(chan struct{}, 1), progress: map[string]*progress{},
	}, nil
}

// Handle takes archive.sealed as a hint to look for due windows. It never fails.
func (g *Generator) Handle(_ context.Context, ev events.Event) error {
	if ev.Type() == events.TypeArchiveSealed {
		g.causes.add(ev)
		select {
		case g.wake <- struct{}{}:
		default: // Run will look anyway
		}
	}
	return nil
}

// Run builds what is due until ctx ends. A build that runs then has Drain to finish.
func (g *Generator) Run(ctx context.Context) error {
	work, cancel := draining(ctx, g.cfg.Drain)
	defer cancel()
	tick := time.NewTicker(g.cfg.Interval)
	defer tick.Stop()
	for {
		g.look(ctx, work)
		select {
		case <-ctx.Done():
			return nil
		case <-g.wake:
		case <-tick.C:
		}
	}
}

// draining returns a context that ends d after ctx, or when it is cancelled.
func draining(ctx context.Context, d time.Duration) (context.Context, func()) {
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel(context.Cause(ctx))
		case <-work.Done():
		}
	})
	return work, func() { stop(); cancel(nil) }
}

// look builds every due window of every spec. A spec that fails waits longer each time; the others go on.
func (g *Generator) look(ctx, work context.Context) {
	specs, err := g.cfg.Specs.ListSpecs(work, spec.KindDataset)
	if err != nil {
		if ctx.Err() == nil {
			g.cfg.Log.ErrorContext(work, "dataset specs not listed", "error", err)
		}
		return
	}
	for _, s := range specs {
		p := g.progressOf(s)
		if time.Now().Before(p.notBefore) {
			continue
		}
		err := g.advance(ctx, work, s, p)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			p.failures = 0
			continue
		}
		pause := g.cfg.Backoff << min(p.failures, 6)
		p.failures++
		p.notBefore = time.Now().Add(pause)
		g.cfg.Log.ErrorContext(work, "dataset not built", "dataset", s.Name, "error", err, "retry_in", pause)
	}
}

// BuildWindow builds one window of a declared dataset now, whether it has settled or not, and registers it where publish
// is set. A zero end is the last settled window's; a zero start is that of the window with this end.
func (g *Generator) BuildWindow(ctx context.Context, name string, start, end time.Time, publish bool) (Build, error) {
	b, err := g.buildWindow(ctx, name, start, end, publish)
	if err != nil {
		return b, fmt.Errorf("build dataset %s: %w", name, err)
	}
	return b, nil
}

func (g *Generator) buildWindow(ctx context.Context, name string, start, end time.Time, publish bool) (Build, error) {
	s, err := g.find(ctx, name)
	if err != nil {
		return Build{}, err
	}
	d, err := decode(s)
	if err != nil {
		return Build{}, err
	}
	mark, err := g.watermark(ctx, d)
	if err != nil {
		return Build{}, err
	}
	if end.IsZero() {
		n := due(d, mark)
		if n == 0 {
			return Build{}, fmt.Errorf("no window has settled yet: the archive is complete up to %s: give start and end", mark.Format(time.RFC3339))
		}
		end = window(d, n).End
	}
	w := endingAt(d, end)
	if !start.IsZero() {
		w.Start = start.UTC()
	}
	files, err := g.snapshot(ctx, d)
	if err != nil {
		return Build{}, err
	}
	j := job{spec: s, d: d, w: w, files: files.window(d, w), watermark: mark}
	if !publish {
		return g.run(ctx, j, nil)
	}
	return g.run(ctx, j, g.cfg.Publish)
}

func (g *Generator) find(ctx context.Context, name string) (registry.Spec, error) {
	specs, err := g.cfg.Specs.ListSpecs(ctx, spec.KindDataset)
	if err != nil {
		return registry.Spec{}, fmt.Errorf("list specs: %w", err)
	}
	for _, s := range specs {
		if s.Name == name {
			return s, nil
		}
	}
	return registry.Spec{}, fmt.Errorf("dataset spec: %w", registry.ErrNotFound)
}

func decode(s registry.Spec) (spec.Dataset, error) {
	var d spec.Dataset
	if err := json.Unmarshal(s.Body, &d); err != nil {
		return d, fmt.Errorf("read spec: %w", err)
	}
	return d, compile.Validate(d)
}
