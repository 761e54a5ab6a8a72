package pgtest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox-ml/signalbox/registry/pgcatalog"
)

// create makes a database, a migrated one as a copy of another, and returns its URL and what removes it.
func create(ctx context.Context, server string, migrated bool) (string, func(), error) {
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return "", nil, err
	}
	defer conn.Close(ctx)
	tmpl := "template0"
	if migrated {
		if tmpl, err = template(ctx, conn, server); err != nil {
			return "", nil, err
		}
	}
	name := "test_" + strings.ToLower(rand.Text())
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name+" TEMPLATE "+tmpl); err != nil {
		return "", nil, err
	}
	at, err := withDatabase(server, name)
	return at, func() { drop(server, name) }, err
}

// template makes the database to copy, once for a server and a schema; test binaries may share a server.
func template(ctx context.Context, conn *pgx.Conn, server string) (string, error) {
	name, err := templateName()
	if err != nil {
		return "", err
	}
	exists := func() (ok bool, err error) {
		err = conn.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)", name).Scan(&ok)
		return ok, err
	}
	if ok, err := exists(); ok || err != nil {
		return name, err
	}
	const key = 0x7067746573740001
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", int64(key)); err != nil {
		return "", err
	}
	defer conn.Exec(ctx, "SELECT pg_advisory_unlock($1)", int64(key))
	if ok, err := exists(); ok || err != nil {
		return name, err
	}
	// Under another name until it is complete.
	building := name + "_new"
	if _, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+building+" WITH (FORCE)"); err != nil {
		return "", err
	}
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+building); err != nil {
		return "", err
	}
	if err := migrate(ctx, server, building); err != nil {
		return "", err
	}
	_, err = conn.Exec(ctx, "ALTER DATABASE "+building+" RENAME TO "+name)
	return name, err
}

func migrate(ctx context.Context, server, name string) error {
	at, err := withDatabase(server, name)
	if err != nil {
		return err
	}
	c, err := pgcatalog.Open(ctx, pgcatalog.Config{URL: at})
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Migrate(ctx)
}

// templateName changes with the schema, so that a server that outlives a test run has the right one.
func templateName() (string, error) {
	sum := sha256.New()
	files, err := fs.Glob(pgcatalog.Schema(), "*/*.sql")
	if err != nil {
		return "", err
	}
	for _, f := range files {
		b, err := fs.ReadFile(pgcatalog.Schema(), f)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%s %d\n%s", f, len(b), b)
	}
	return "signalbox_template_" + hex.EncodeToString(sum.Sum(nil)[:6]), nil
}

func drop(server, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err == nil {
		defer conn.Close(ctx)
		_, err = conn.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pgtest: drop", name+":", err)
	}
}

// withDatabase is the URL server with another database.
func withDatabase(server, name string) (string, error) {
	u, err := url.Parse(server)
	if err != nil || u.Scheme == "" {
		return "", fmt.Errorf("%s is not a URL: want postgres://user:password@host:port/database", EnvURL)
	}
	u.Path = "/" + name
	return u.String(), nil
}
