package tune_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/tune"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
)

var errDead = errors.New("the process is dead")

// mortal lets so many calls through and then is dead: the call at which it dies has its effect or not, and no answer.
type mortal struct {
	*registry.Registry
	mu     sync.Mutex
	left   int
	effect bool
	died   chan struct{}
}

func through[T any](m *mortal, call func() (T, error)) (T, error) {
	var none T
	m.mu.Lock()
	m.left--
	left := m.left
	m.mu.Unlock()
	if left < 0 {
		return none, errDead
	}
	if left > 0 {
		return call()
	}
	if m.effect {
		_, _ = call() // its answer is lost
	}
	close(m.died)
	return none, errDead
}

func (m *mortal) Sweeps(ctx context.Context, f registry.SweepFilter) ([]registry.Sweep, error) {
	return through(m, func() ([]registry.Sweep, error) { return m.Registry.Sweeps(ctx, f) })
}

func (m *mortal) Sweep(ctx context.Context, id registry.SweepID) (registry.Sweep, error) {
	return through(m, func() (registry.Sweep, error) { return m.Registry.Sweep(ctx, id) })
}

func (m *mortal) RequestTrial(ctx context.Context, s registry.Sweep, n int) (run registry.Run, created bool, err error) {
	run, err = through(m, func() (registry.Run, error) {
		run, ok, err := m.Registry.RequestTrial(ctx, s, n)
		created = ok
		return run, err
	})
	return run, created, err
}

func (m *mortal) CompleteSweep(ctx context.Context, id registry.SweepID, best registry.RunID, reason string) (registry.Sweep, error) {
	return through(m, func() (registry.Sweep, error) { return m.Registry.CompleteSweep(ctx, id, best, reason) })
}

func (m *mortal) Runs(ctx context.Context, f registry.RunFilter) ([]registry.Run, error) {
	return through(m, func() ([]registry.Run, error) { return m.Registry.Runs(ctx, f) })
}

func (m *mortal) Run(ctx context.Context, id registry.RunID) (registry.Run, error) {
	return through(m, func() (registry.Run, error) { return m.Registry.Run(ctx, id) })
}

func (m *mortal) CancelRun(ctx context.Context, id registry.RunID, reason string) (registry.Run, error) {
	return through(m, func() (registry.Run, error) { return m.Registry.CancelRun(ctx, id, reason) })
}

// A worker that dies at any of its calls leaves nothing that the next one does twice, or not at all. Every worker of a
// sweep dies, at its n-th call, (n+1)-th, and so on, until one lives to see the end.
func TestKilledAtEveryCall(t *testing.T) {
	const search = `"algorithm":"asha","asha":{"min_step":1,"max_step":5,"reduction":2},"trials":5,"parallel":2`
	var undisturbed []string
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, learns)
		w.tune()
		_, runs := w.ended(w.sweep(5, search), 10*time.Minute, registry.SweepComplete)
		for _, run := range runs {
			undisturbed = append(undisturbed, told(w, run))
		}
	})
	for n := 1; n <= 30; n++ {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			for _, effect := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) { killed(t, search, n, effect, undisturbed) })
			}
		})
	}
}

func told(w *world, run registry.Run) string {
	return fmt.Sprintf("trial %d is %s: %+v", run.Trial, run.ID, w.drawn(run))
}

func killed(t *testing.T, search string, n int, effect bool, undisturbed []string) {
	w := newWorld(t, learns)
	s := w.sweep(5, search)
	deaths := 0
	for ; ; deaths++ {
		m := &mortal{Registry: w.reg, left: n + deaths, effect: effect, died: make(chan struct{})}
		_, stop := w.tune(func(c *tune.Config) { c.Sweeps, c.Runs = m, m })
		timeout := time.NewTimer(10 * time.Minute)
		select {
		case <-m.died:
		case <-timeout.C:
			t.Fatalf("neither dead nor done after %d deaths", deaths)
		}
		timeout.Stop()
		stop()
		if now, _ := w.after(s, 0); now.State != registry.SweepRunning {
			break
		}
	}
	w.tune() // whatever is left
	s, runs := w.ended(s, 10*time.Minute, registry.SweepComplete)
	w.wantBest(s, runs)
	var got []string
	for _, run := range runs {
		got = append(got, told(w, run))
		if !run.State.Final() {
			t.Errorf("trial %d is still %s", run.Trial, run.State)
		}
	}
	if !slices.Equal(got, undisturbed) {
		t.Errorf("after %d deaths the trials are\n%q, want\n%q", deaths, got, undisturbed)
	}
	if n := w.count(events.TypeRunRequested); n != 5 || w.most > 2 {
		t.Errorf("%d runs were requested, %d were active at once", n, w.most)
	}
}
