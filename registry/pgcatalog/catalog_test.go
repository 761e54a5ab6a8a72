package pgcatalog_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/ledger"
	"github.com/signalbox-ml/signalbox/registry/ledger/ledgertest"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog/pgtest"
	"github.com/signalbox-ml/signalbox/registry/registrytest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

func TestCatalog(t *testing.T) {
	t.Parallel()
	registrytest.TestCatalog(t, func(t *testing.T) registry.Catalog { return pgtest.New(t).Catalog })
}

// ledgerAndOutbox is what the suite of ledgers wants of one value.
type ledgerAndOutbox struct {
	*pgcatalog.Ledger
	ledgertest.Outbox
}

func TestLedger(t *testing.T) {
	t.Parallel()
	ledgertest.TestLedger(t, func(t *testing.T) ledger.Ledger {
		c := pgtest.New(t).Catalog
		return ledgerAndOutbox{c.Ledger(), c}
	})
}

// TestMigrateAtOnce starts many processes, so to speak, on an empty database.
func TestMigrateAtOnce(t *testing.T) {
	t.Parallel()
	url := pgtest.Blank(t)
	var wg sync.WaitGroup
	for range 4 {
		c := pgtest.Open(t, url)
		wg.Go(func() {
			if err := c.Migrate(t.Context()); err != nil {
				t.Errorf("Migrate: %v", err)
			}
		})
	}
	wg.Wait()
	c := pgtest.Open(t, url)
	if err := c.Migrate(t.Context()); err != nil { // nothing to do
		t.Errorf("Migrate again: %v", err)
	}
	if _, _, err := c.PutSpec(t.Context(), registry.Spec{Kind: "Model", Name: "m", Body: []byte(`{}`), Digest: sum("{}")}); err != nil {
		t.Errorf("use after Migrate: %v", err)
	}
	if err := c.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	url := pgtest.Blank(t)
	for _, tc := range []struct {
		name string
		cfg  pgcatalog.Config
		want string
	}{
		{"nothing", pgcatalog.Config{}, "url is empty"},
		{"negative pool", pgcatalog.Config{URL: url, MaxConns: -1}, "max conns is -1"},
		{"no URL", pgcatalog.Config{URL: "postgres://u:geheim@h:port/db"}, "cannot parse"},
		{"no such database", pgcatalog.Config{URL: strings.Replace(url, "?", "x?", 1)}, "does not exist"},
		// As a standby is.
		{"read only", pgcatalog.Config{URL: url + "&default_transaction_read_only=on"}, "read only"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := pgcatalog.Open(t.Context(), tc.cfg)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Open: %v, want %q in it", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "geheim") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

// TestUnknownEventType: what cannot be relayed must not be written, and the mutation with it.
func TestUnknownEventType(t *testing.T) {
	t.Parallel()
	c := pgtest.New(t).Catalog
	ev := event(t, "e")
	ev.SetType("com.example.click")
	_, err := c.MoveTag(t.Context(), tagMove(0, "op"), ev)
	if err == nil || !strings.Contains(err.Error(), "com.example.click") {
		t.Errorf("MoveTag with an application event: %v", err)
	}
	if _, err := c.Tag(t.Context(), production()); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("the tag was moved without its event: %v", err)
	}
}

// TestOutboxRow looks at the columns that operators see.
func TestOutboxRow(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	keyed := event(t, "e2")
	keyed.SetExtension("partitionkey", "k")
	if _, err := db.Catalog.MoveTag(t.Context(), tagMove(0, "op"), event(t, "e1"), keyed); err != nil {
		t.Fatal(err)
	}
	rows := queryText(t, db.URL, `SELECT topic || ' ' || key || ' ' || (event->>'id') FROM outbox ORDER BY id`)
	if want := "signalbox.tags fraud/production e1|signalbox.tags k e2"; rows != want {
		t.Errorf("outbox = %s, want %s", rows, want)
	}
}

// queryText returns the only column of all rows, joined by "|".
func queryText(t *testing.T, url, sql string, args ...any) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	rows, err := conn.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(texts, "|")
}
