package pgcatalog_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog/pgtest"
)

// mutation is a call that changes something and writes one event, and rows that count what it did.
type mutation struct {
	name    string
	prepare func(t *testing.T, c *pgcatalog.Catalog)
	do      func(t *testing.T, c *pgcatalog.Catalog, ev events.Event) (did bool, err error)
	rows    string
}

func mutations() []mutation {
	part := ledger.Partition{TopicID: uuid.NewSHA1(uuid.Nil, []byte("t")), Topic: "events.t"}
	file := ledger.File{Key: "k", Digest: sum("k"), Rows: 5, End: 5}
	return []mutation{
		{"CreateRun", nil, func(t *testing.T, c *pgcatalog.Catalog, ev events.Event) (bool, error) {
			_, created, err := c.CreateRun(t.Context(), newRun("a"), ev)
			return created, err
		}, `SELECT count(*)::text FROM run_transition`},
		{"ChangeRun", func(t *testing.T, c *pgcatalog.Catalog) {
			if _, _, err := c.CreateRun(t.Context(), newRun("a")); err != nil {
				t.Fatal(err)
			}
		}, func(t *testing.T, c *pgcatalog.Catalog, ev events.Event) (bool, error) {
			r, err := c.ChangeRun(t.Context(), registry.RunChange{ID: newRun("a").ID, From: []registry.RunState{registry.RunRequested},
				To: registry.RunQueued, Attempt: 1, At: at(2)}, ev)
			return r.State == registry.RunQueued, err
		}, `SELECT (count(*) - 1)::text FROM run_transition`},
		{"PutPackage", func(t *testing.T, c *pgcatalog.Catalog) {
			if _, err := c.LeaseBlobs(t.Context(), []cas.Descriptor{descriptor("a")}, at(9)); err != nil {
				t.Fatal(err)
			}
		}, func(t *testing.T, c *pgcatalog.Catalog, ev events.Event) (bool, error) {
			return c.PutPackage(t.Context(), newPackage("p", descriptor("a")), ev)
		}, `SELECT sum(refs)::text FROM blob`},
		{"Attest", nil, func(t *testing.T, c *pgcatalog.Catalog, ev events.Event) (bool, error) {
			return c.Attest(t.Context(), registry.Attestation{Subject: sum("p"), Type: "note", ID: sum("1"), Body: []byte("1")}, ev)
		}, `SELECT count(*)::text FROM attestation`},
		{"PutDataset", nil, func(t *testing.T, c *pgcatalog.Catalog, ev events.Event) (bool, error) {
			return c.PutDataset(t.Context(), registry.Dataset{ID: sum("d"), Name: "d", Manifest: []byte("{}")}, ev)
		}, `SELECT count(*)::text FROM dataset`},
		{"MoveTag", nil, func(t *testing.T, c *pgcatalog.Catalog, ev events.Event) (bool, error) {
			s, err := c.MoveTag(t.Context(), tagMove(0, ""), ev)
			return s.Generation == 1, err
		}, `SELECT count(*)::text FROM tag_history`},
		{"PutSpec", nil, func(t *testing.T, c *pgcatalog.Catalog, ev events.Event) (bool, error) {
			s, changed, err := c.PutSpec(t.Context(), registry.Spec{Kind: "Model", Name: "m", Body: []byte("{}"), Digest: sum("{}")}, ev)
			return changed && s.Generation == 1, err
		}, `SELECT count(*)::text FROM spec_history`},
		{"LedgerCommit", func(t *testing.T, c *pgcatalog.Catalog) {
			if _, err := c.Ledger().Claim(t.Context(), part, "me"); err != nil {
				t.Fatal(err)
			}
		}, func(t *testing.T, c *pgcatalog.Catalog, ev events.Event) (bool, error) {
			f, err := c.Ledger().Commit(t.Context(), ledger.Flush{Claim: ledger.Claim{Partition: part, Epoch: 1}, End: 5, Records: 5,
				Reason: ledger.ReasonAge, Files: []ledger.File{file}}, func(int64) ([]events.Event, error) { return []events.Event{ev}, nil })
			return f.Seq == 1 && f.End == 5 && len(f.Files) == 1, err
		}, `SELECT count(*)::text FROM archive_flush`},
	}
}

// TestCommitCut breaks the connection at COMMIT, before or after the server has it. The caller notices nothing: it did it,
// once, with one event.
func TestCommitCut(t *testing.T) {
	t.Parallel()
	for _, m := range mutations() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			cat, p := behindProxy(t, db)
			for c, times := range map[cut]int32{noCommit: 1, noAnswer: 1, noAnswers: 2} {
				empty(t, db)
				if m.prepare != nil {
					m.prepare(t, db.Catalog)
				}
				p.hits.Store(0)
				p.next.Store(int32(c))
				did, err := m.do(t, cat, event(t, "e"))
				if err != nil || !did {
					t.Errorf("cut %d = %v, %v, want that it did it", c, did, err)
				}
				if p.hits.Load() != times {
					t.Errorf("%d cuts of kind %d, want %d: the test tests nothing", p.hits.Load(), c, times)
				}
				if got := queryText(t, db.URL, m.rows); got != "1" {
					t.Errorf("cut %d: done %s times", c, got)
				}
				if evs, err := db.Catalog.PendingEvents(t.Context()); err != nil || len(evs) != 1 {
					t.Errorf("cut %d: %d events, %v, want 1", c, len(evs), err)
				}
			}
		})
	}
}

// empty is quicker than another database.
func empty(t *testing.T, db *pgtest.DB) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), db.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), `TRUNCATE run, blob, package, attestation, dataset, tag, spec, outbox, archive_topic CASCADE;
		UPDATE archive_head SET seq = 0`)
	if err != nil {
		t.Fatal(err)
	}
}

// TestRivalAfterCut: the COMMIT of a change gets no answer, and before it is asked about, somebody else changes the run
// again. The change was made all the same.
func TestRivalAfterCut(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	if _, _, err := db.Catalog.CreateRun(t.Context(), newRun("a")); err != nil {
		t.Fatal(err)
	}
	cat, p := behindProxy(t, db)
	p.next.Store(int32(noAnswers)) // the second cut is that of the question
	rival := registry.RunChange{ID: newRun("a").ID, From: []registry.RunState{registry.RunQueued}, FromAttempt: 1, To: registry.RunRunning, Attempt: 1, At: at(3)}
	done := make(chan error)
	go func() {
		var err error
		for err = registry.ErrRunMoved; errors.Is(err, registry.ErrRunMoved) && t.Context().Err() == nil; {
			_, err = db.Catalog.ChangeRun(t.Context(), rival)
		}
		done <- err
	}()
	r, err := cat.ChangeRun(t.Context(), registry.RunChange{ID: newRun("a").ID, From: []registry.RunState{registry.RunRequested},
		To: registry.RunQueued, Attempt: 1, At: at(2)}, event(t, "e"))
	if err != nil || (r.State != registry.RunQueued && r.State != registry.RunRunning) {
		t.Errorf("ChangeRun = %s, %v", r.State, err)
	}
	if err := <-done; err != nil {
		t.Errorf("rival: %v", err)
	}
	got := queryText(t, db.URL, `SELECT state FROM run_transition ORDER BY n`)
	if got != "requested|queued|running" {
		t.Errorf("history = %s", got)
	}
}

// TestContextOver: nothing happens for a caller that is gone.
func TestContextOver(t *testing.T) {
	t.Parallel()
	c := pgtest.New(t).Catalog
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	expired, stop := context.WithTimeout(t.Context(), time.Nanosecond)
	defer stop()
	for want, ctx := range map[error]context.Context{context.Canceled: canceled, context.DeadlineExceeded: expired} {
		if _, err := c.MoveTag(ctx, tagMove(0, "op"), event(t, "e")); !errors.Is(err, want) {
			t.Errorf("MoveTag: %v, want %v", err, want)
		}
	}
	if _, err := c.Tag(t.Context(), production()); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("the tag: %v, want ErrNotFound", err)
	}
}
