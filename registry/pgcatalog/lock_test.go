package pgcatalog_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/registry/pgcatalog"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog/pgtest"
)

func TestLockExcludes(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	other := pgtest.Open(t, db.URL)
	var inside, most, runs atomic.Int32
	var wg sync.WaitGroup
	for i := range 6 {
		c := []*pgcatalog.Catalog{db.Catalog, other}[i%2]
		wg.Go(func() {
			err := c.Lock(t.Context(), "leader", func(ctx context.Context) error {
				most.Store(max(most.Load(), inside.Add(1)))
				defer inside.Add(-1)
				runs.Add(1)
				return c.Ping(ctx) // takes a while, with a connection of the pool
			})
			if err != nil {
				t.Errorf("Lock: %v", err)
			}
		})
	}
	wg.Wait()
	if most.Load() != 1 || runs.Load() != 6 {
		t.Errorf("%d holders at once, %d in all, want 1 and 6", most.Load(), runs.Load())
	}
}

func TestLockNames(t *testing.T) {
	t.Parallel()
	c := pgtest.New(t).Catalog
	failed := errors.New("failed")
	err := c.Lock(t.Context(), "one", func(ctx context.Context) error {
		return c.Lock(ctx, "two", func(context.Context) error { return failed })
	})
	if !errors.Is(err, failed) {
		t.Errorf("Lock = %v, want what the function said", err)
	}
}

// TestLockLost cuts the connection that holds the lock: the holder is told, and the next one does not wait for it.
func TestLockLost(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	err := db.Catalog.Lock(t.Context(), "leader", func(ctx context.Context) error {
		queryText(t, db.URL, `SELECT pg_terminate_backend(pid)::text FROM pg_locks WHERE locktype = 'advisory' AND granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
		select {
		case <-ctx.Done():
		case <-time.After(30 * time.Second):
			t.Error("the holder was not told")
		}
		return context.Cause(ctx)
	})
	if !errors.Is(err, pgcatalog.ErrLockLost) {
		t.Errorf("Lock: %v, want ErrLockLost", err)
	}
	if err := db.Catalog.Lock(t.Context(), "leader", func(context.Context) error { return nil }); err != nil {
		t.Errorf("the next holder: %v", err)
	}
}

// TestLockWaitEnds: a caller that gives up leaves, and does not come back as a ghost that holds the lock.
func TestLockWaitEnds(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	waiting, give := context.WithCancel(t.Context())
	defer give()
	err := db.Catalog.Lock(t.Context(), "leader", func(ctx context.Context) error {
		gone := make(chan error)
		go func() {
			gone <- db.Catalog.Lock(waiting, "leader", func(context.Context) error { return errors.New("two holders") })
		}()
		until(t, "somebody waits", func() bool { return waiters(t, db.URL) == "1" })
		give()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("the one who gave up: %v, want Canceled", err)
		}
		until(t, "nobody waits", func() bool { return waiters(t, db.URL) == "0" })
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func waiters(t *testing.T, url string) string {
	return queryText(t, url, `SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
}

// until polls for a condition that another process brings about.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	end := time.After(30 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
