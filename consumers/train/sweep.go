package train

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
)

// sweep stops jobs that no run wants any more: those of attempts that ended while nobody could tell the backend. Jobs of
// runs that are not in this catalog are left alone: they may be somebody else's.
func (m *Machine) sweep(ctx context.Context) {
	if time.Since(m.swept) < m.cfg.Sweep {
		return
	}
	m.swept = time.Now()
	var done []Backend
	for _, c := range m.classes {
		lister, ok := c.Backend.(Lister)
		if !ok || slices.Contains(done, c.Backend) {
			continue
		}
		done = append(done, c.Backend)
		jobs, err := lister.Jobs(ctx)
		if err != nil {
			m.cfg.Log.WarnContext(ctx, "jobs not listed", "error", err)
			continue
		}
		for _, at := range jobs {
			if err := m.sweepJob(ctx, c.Backend, at); err != nil {
				m.cfg.Log.WarnContext(ctx, "job not swept", "run_id", at.Run, "attempt", at.N, "error", err)
			}
		}
	}
}

func (m *Machine) sweepJob(ctx context.Context, b Backend, at Attempt) error {
	if _, followed := m.jobs[at]; followed {
		return nil
	}
	run, err := m.cfg.Runs.Run(ctx, at.Run)
	if errors.Is(err, registry.ErrNotFound) {
		return nil
	}
	if err != nil || !run.State.Final() && run.Attempt <= at.N {
		return err
	}
	m.cfg.Log.InfoContext(ctx, "job of an attempt that is over", "run_id", at.Run, "attempt", at.N)
	m.jobs[at] = &job{backend: b} // the next look finishes it
	return nil
}
