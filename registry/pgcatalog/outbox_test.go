package pgcatalog_test

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/outbox"
	"github.com/signalbox-ml/signalbox/registry/outbox/outboxtest"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog/pgtest"
)

func TestOutbox(t *testing.T) {
	t.Parallel()
	outboxtest.TestSource(t, func(t *testing.T) outboxtest.Harness {
		db := pgtest.New(t)
		var n atomic.Int64
		return outboxtest.Harness{
			Source: db.Catalog.Outbox(),
			Add: func(t *testing.T, evs ...events.Event) {
				body := strconv.FormatInt(n.Add(1), 10)
				a := registry.Attestation{Subject: sum("p"), Type: "note", ID: sum(body), Body: []byte(body), Created: at(1)}
				if _, err := db.Catalog.Attest(t.Context(), a, evs...); err != nil {
					t.Error(err)
				}
			},
			Crash: func(t *testing.T) {
				queryText(t, db.URL, `SELECT pg_terminate_backend(pid, 10000)::text FROM pg_stat_activity
					WHERE datname = current_database() AND state = 'idle in transaction'`)
			},
		}
	})
}

// tagLog is a compacted topic: it keeps the newest event of a key, and everything in order of arrival.
type tagLog struct {
	mu  sync.Mutex
	all []string
}

func (l *tagLog) Publish(_ context.Context, evs ...events.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, outboxtest.IDs(evs)...)
	return nil
}

func (l *tagLog) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.all)
}

// TestRelayKeepsOrder: writers race for a tag, two relays publish and are cut off again and again. Every generation
// reaches the log, first arrivals in order, and the newest last.
func TestRelayKeepsOrder(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	log := &tagLog{}
	ctx, stop := context.WithCancel(t.Context())
	var relays sync.WaitGroup
	for range 2 {
		r, err := outbox.New(outbox.Config{Source: pgtest.Open(t, db.URL).Outbox(), Publisher: log, Batch: 3, Poll: 20 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		relays.Go(func() {
			if err := r.Run(ctx); err != nil {
				t.Errorf("Run: %v", err)
			}
		})
	}
	const moves = 60
	for i := range int64(moves) {
		if _, err := db.Catalog.MoveTag(t.Context(), tagMove(i, strconv.FormatInt(i, 10)), event(t, strconv.FormatInt(i, 10))); err != nil {
			t.Fatal(err)
		}
		if i%10 == 5 {
			queryText(t, db.URL, `SELECT pg_terminate_backend(pid, 10000)::text FROM pg_stat_activity
				WHERE datname = current_database() AND state = 'idle in transaction'`)
		}
	}
	until(t, "all is published", func() bool {
		return log.len() >= moves && queryText(t, db.URL, `SELECT count(*)::text FROM outbox`) == "0"
	})
	stop()
	relays.Wait()
	next := 0
	for _, id := range log.all {
		n, err := strconv.Atoi(id)
		if err != nil || n > next {
			t.Fatalf("event %s came before event %d", id, next)
		}
		if n == next {
			next++
		}
	}
	if next != moves || log.all[len(log.all)-1] != strconv.Itoa(moves-1) {
		t.Errorf("%d of %d events came, the last is %s", next, moves, log.all[len(log.all)-1])
	}
}
