package pgtest_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

func TestDatabasesAreSeparate(t *testing.T) {
	t.Parallel()
	one, two := pgtest.New(t), pgtest.New(t)
	tag := registry.Tag{Model: "m", Name: "production"}
	if _, err := one.Catalog.MoveTag(t.Context(), registry.TagMove{Tag: tag}); err != nil {
		t.Fatal(err)
	}
	if _, err := pgtest.Open(t, one.URL).Tag(t.Context(), tag); err != nil {
		t.Errorf("the same database once more: %v", err)
	}
	if _, err := two.Catalog.Tag(t.Context(), tag); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("another database: %v, want ErrNotFound", err)
	}
	blank, err := pgx.Connect(t.Context(), pgtest.Blank(t))
	if err != nil {
		t.Fatal(err)
	}
	defer blank.Close(t.Context())
	if _, err := blank.Exec(t.Context(), "SELECT * FROM tag"); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("a blank database: %v, want no tables", err)
	}
}

func TestDatabaseEndsWithItsTest(t *testing.T) {
	t.Parallel()
	var url string
	t.Run("user", func(t *testing.T) { url = pgtest.New(t).URL })
	if conn, err := pgx.Connect(t.Context(), url); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("after the test: %v, %v, want no database", conn, err)
	}
}

// TestServerOfItsOwn is what a test binary without Run gets. It changes the environment, so it is not parallel.
func TestServerOfItsOwn(t *testing.T) {
	shared := os.Getenv(pgtest.EnvURL)
	if shared == "" {
		t.Fatal("Run started no server")
	}
	t.Setenv(pgtest.EnvURL, "")
	db := pgtest.New(t)
	if strings.Split(db.URL, "/")[2] == strings.Split(shared, "/")[2] {
		t.Error("New without a server used the shared one")
	}
	if err := db.Catalog.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}
