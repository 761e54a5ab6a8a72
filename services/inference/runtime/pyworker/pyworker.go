// Package pyworker is the engine for packages that only Python can run. Their code is not trusted with anything of the
// server: it runs in worker processes that get a socket, the package's directory and a clean environment.
//
// Requests meet workers in one bounded queue. An idle worker takes everything that waits, up to a bound, in one call:
// there is no timer, so a lonely request waits for nobody, and batches grow with the load.
//
// A worker that dies, misses a deadline or breaks the protocol is killed with its process group and started again with
// back-off. The requests of its call are tried again, each alone. A request that took part in two such ends is answered
// with ErrPoison and never tried again.
package pyworker

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/services/inference/runtime"
)

// ErrPoison reports a request that ended two workers. It is a runtime.ErrModel.
var ErrPoison = fmt.Errorf("request ended two workers: %w", runtime.ErrModel)

// Runtime loads Python packages.
type Runtime struct{ cfg Config }

// New returns a Runtime. It starts nothing.
func New(cfg Config) (*Runtime, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Runtime{cfg: cfg}, nil
}

// Load starts the workers of a package. It returns once each has the model, or with the first fault.
func (r *Runtime) Load(ctx context.Context, dir string, sig manifest.Signature) (runtime.Model, error) {
	if sig.Format != manifest.FormatPickle {
		return nil, fmt.Errorf("load: format %q: %w", sig.Format, runtime.ErrUnsupported)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	// The worker opens files by itself: see that the model's path does not lead out of the package.
	f, err := os.OpenInRoot(dir, filepath.FromSlash(sig.Model))
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	log := r.cfg.Log.With("package", filepath.Base(dir))
	first := make([]*process, 0, r.cfg.Workers)
	for range r.cfg.Workers {
		p, err := start(ctx, r.cfg, dir, sig, log)
		if err != nil {
			for _, p := range first {
				p.kill()
			}
			return nil, err
		}
		first = append(first, p)
	}
	m := &Model{
		cfg: r.cfg, log: log, dir: dir, sig: sig,
		queue: make(chan *call, r.cfg.MaxQueue), closing: make(chan struct{}), idle: sync.NewCond(&sync.Mutex{}),
	}
	m.live.Store(int32(len(first)))
	ctx, m.stop = context.WithCancel(context.WithoutCancel(ctx))
	for _, p := range first {
		m.workers.Go(func() { m.work(ctx, p) })
	}
	return m, nil
}
