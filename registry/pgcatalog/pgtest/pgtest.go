// Package pgtest gives tests a real PostgreSQL: a migrated database of its own for each test, on one private server for
// the whole test binary.
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }
//
//	func TestX(t *testing.T) {
//		t.Parallel()
//		db := pgtest.New(t)
//		db.Catalog.MoveTag(...)
//	}
//
// Without such a TestMain each New starts a server of its own, which takes seconds. Where EnvURL is set that server is
// used and none is started.
package pgtest

import (
	"context"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/registry/pgcatalog"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog/pgserver"
)

// EnvURL names the environment variable with the URL of the server to use. Its role must be allowed to create databases.
const EnvURL = "SIGNALBOX_TEST_DATABASE_URL"

const (
	startTimeout = 4 * time.Minute // initdb on a machine that is busy with other tests
	stopTimeout  = 20 * time.Second
	callTimeout  = time.Minute
)

// Run runs the tests of a binary with one server and returns the exit code. It is the body of TestMain.
func Run(m *testing.M) int {
	if os.Getenv(EnvURL) != "" {
		return m.Run()
	}
	url, stop, err := start(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		return 1
	}
	defer stop()
	if err := os.Setenv(EnvURL, url); err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		return 1
	}
	return m.Run()
}

// start runs a server in a temporary directory until stop is called.
func start(ctx context.Context) (url string, stop func(), err error) {
	dir, err := os.MkdirTemp("", "pgtest-")
	if err != nil {
		return "", nil, err
	}
	remove := func() {
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, "pgtest:", err)
		}
	}
	// The server of a root user is another user, who has to come through.
	if err := os.Chmod(dir, 0o711); err != nil {
		remove()
		return "", nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	s, err := pgserver.Start(ctx, pgserver.Config{Dir: dir, Fast: true, Log: io.Discard})
	if err != nil {
		remove()
		return "", nil, err
	}
	return s.URL(), func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "pgtest:", err)
		}
		remove()
	}, nil
}

// DB is a migrated, empty database that lives as long as the test.
type DB struct {
	URL     string
	Catalog *pgcatalog.Catalog
}

// New makes a database. A server that cannot be started fails the test.
func New(t testing.TB) *DB {
	t.Helper()
	url := database(t, true)
	return &DB{URL: url, Catalog: Open(t, url)}
}

// Blank makes a database without the schema and returns its URL.
func Blank(t testing.TB) string {
	t.Helper()
	return database(t, false)
}

func database(t testing.TB, migrated bool) string {
	t.Helper()
	server := os.Getenv(EnvURL)
	if server == "" {
		var stop func()
		var err error
		if server, stop, err = start(t.Context()); err != nil {
			t.Fatalf("pgtest: %v", err)
		}
		t.Cleanup(stop)
	}
	ctx, cancel := context.WithTimeout(t.Context(), callTimeout)
	defer cancel()
	url, drop, err := create(ctx, server, migrated)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(drop)
	return url
}

// Open opens one more catalog on the database at url, as another process would.
func Open(t testing.TB, url string) *pgcatalog.Catalog {
	t.Helper()
	c, err := pgcatalog.Open(t.Context(), pgcatalog.Config{URL: url})
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(c.Close)
	return c
}
