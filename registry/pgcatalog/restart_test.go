package pgcatalog_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog/pgserver"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog/pgtest"
)

// TestServerCrashes stops the server at once, as a crash does, while writers move tags. Each repeats a move under its name
// until it has an answer; in the end every move was made once, in order, with one event.
func TestServerCrashes(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "pgcatalog-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	cfg := pgserver.Config{Dir: dir} // not Fast: that may lose what it answered
	server, err := pgserver.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Stop(context.Background()) })
	u, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	cfg.Addr = u.Host
	c := pgtest.Open(t, server.URL())
	if err := c.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}

	const writers, crashes, between = 3, 3, 40
	var moves, unanswered atomic.Int64
	var last [writers]int64
	writing, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			tag := registry.Tag{Model: "m", Name: fmt.Sprint(w)}
			for writing.Err() == nil {
				op := fmt.Sprint(w, "/", last[w])
				s, err := c.MoveTag(t.Context(), registry.TagMove{Tag: tag, Expect: last[w], Op: op, At: at(0)}, event(t, op))
				if err != nil {
					unanswered.Add(1)
					continue
				}
				last[w]++
				moves.Add(1)
				if s.Generation != last[w] {
					t.Errorf("move %s made generation %d, want %d", op, s.Generation, last[w])
					return
				}
			}
		})
	}
	atOnce, now := context.WithCancel(t.Context())
	now()
	for range crashes {
		before := moves.Load()
		until(t, "there were moves", func() bool { return moves.Load() > before+between })
		server.Stop(atOnce)
		if server, err = pgserver.Start(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	before := moves.Load()
	until(t, "there were moves after the last crash", func() bool { return moves.Load() > before+between })
	stop()
	wg.Wait()

	t.Logf("%d moves, %d calls without an answer", moves.Load(), unanswered.Load())
	got := queryText(t, server.URL(), `SELECT count(*) || ' ' || (SELECT count(*) FROM outbox) || ' ' || (SELECT sum(generation) FROM tag) FROM tag_history`)
	if want := fmt.Sprint(moves.Load(), moves.Load(), moves.Load()); got != want {
		t.Errorf("generations, events and sum of the newest = %s, want %s", got, want)
	}
}
