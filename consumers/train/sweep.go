package train

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
)

// sweeper looks for jobs that no run wants any more: those of attempts that ended while nobody could tell the backend.
type sweeper struct {
	background
	last  time.Time
	found map[Attempt]Backend // by the last search
}

// sweep takes up the jobs that the last search found, and begins the next one when it is due.
func (m *Machine) sweep(ctx context.Context) {
	s := &m.sweeper
	if !s.idle() {
		return
	}
	for at, b := range s.found {
		if _, followed := m.jobs[at]; !followed {
			m.cfg.Log.InfoContext(ctx, "job of an attempt that is over", "run_id", at.Run, "attempt", at.N)
			m.jobs[at] = &job{backend: b} // the next look finishes it
		}
	}
	s.found = nil
	if time.Since(s.last) < m.cfg.Sweep {
		return
	}
	s.last = time.Now()
	followed := map[Attempt]bool{}
	for at := range m.jobs {
		followed[at] = true
	}
	s.do(func() { s.found = m.unwanted(ctx, followed) })
}

// unwanted asks every backend for its jobs, and the catalog for those that nobody follows.
func (m *Machine) unwanted(ctx context.Context, followed map[Attempt]bool) map[Attempt]Backend {
	found := map[Attempt]Backend{}
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
			if followed[at] {
				continue
			}
			over, err := m.isOver(ctx, at)
			if err != nil {
				m.cfg.Log.WarnContext(ctx, "job not swept", "run_id", at.Run, "attempt", at.N, "error", err)
			}
			if over {
				found[at] = c.Backend
			}
		}
	}
	return found
}

// isOver reports that an attempt of a run of ours has ended. Jobs of runs that are not in this catalog are left alone: they
// may be somebody else's.
func (m *Machine) isOver(ctx context.Context, at Attempt) (bool, error) {
	run, err := m.cfg.Runs.Run(ctx, at.Run)
	if errors.Is(err, registry.ErrNotFound) {
		return false, nil
	}
	return err == nil && (run.State.Final() || run.Attempt > at.N), err
}
