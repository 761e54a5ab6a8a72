// Package pgcatalog keeps the registry, the archive's ledger and the outbox in PostgreSQL 15 or newer.
//
// Every mutation is one transaction at READ COMMITTED: the change, its history row and its outbox rows. A change is a
// compare-and-swap in the WHERE clause of an UPDATE, whose row lock makes the second of two writers judge the row that
// the first one left. Where the answer to COMMIT is lost, the mutation runs again and recognises its own work by a
// unique key. An error that is none of package registry's leaves the outcome open; the same call again is safe.
//
// Session locks and LISTEN need a session: give the server's own address, or a pooler in session mode.
package pgcatalog

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/signalbox-ml/signalbox/registry"
)

//go:embed migrations/*.sql
var schema embed.FS

// minVersion is PostgreSQL 15, as server_version_num spells it.
const minVersion = 150000

// Config says where the database is.
type Config struct {
	// URL of the database, as libpq reads it. Several hosts may be named; the primary among them is used. Required.
	URL string
	// MaxConns bounds the pool; a session lock and LISTEN take one more each. 0 means 10.
	MaxConns int32
	// IdleTransaction is how long the server lets a transaction wait for this process before it takes everything back: a
	// process that was stopped must not keep others from the partitions that they took over. 0 means 5 s.
	IdleTransaction time.Duration
	// Log tells what is retried. nil discards.
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	c.MaxConns = cmp.Or(c.MaxConns, 10)
	c.IdleTransaction = cmp.Or(c.IdleTransaction, 5*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c Config) validate() error {
	var errs []error
	if c.URL == "" {
		errs = append(errs, errors.New("url is empty: want postgres://user:password@host:port/database"))
	}
	if c.IdleTransaction < 0 {
		errs = append(errs, fmt.Errorf("idle transaction is %s: want a time", c.IdleTransaction))
	}
	if c.MaxConns < 0 {
		errs = append(errs, fmt.Errorf("max conns is %d: want 1 or more", c.MaxConns))
	}
	return errors.Join(errs...)
}

// Catalog is a registry.Catalog. It is safe for concurrent use, also by several processes.
type Catalog struct {
	pool *pgxpool.Pool
	log  *slog.Logger
}

var _ registry.Catalog = (*Catalog)(nil)

// Open connects to the database and checks its version. Call Migrate before anything else, and Close at the end.
func Open(ctx context.Context, cfg Config) (*Catalog, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("catalog config: %w", err)
	}
	pc, err := pgxpool.ParseConfig(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("catalog config: %w", err) // pgx keeps the password out of it
	}
	pc.MaxConns = cfg.MaxConns
	params := pc.ConnConfig.RuntimeParams
	params["application_name"] = cmp.Or(params["application_name"], "signalbox")
	params["timezone"] = "UTC"
	params["idle_in_transaction_session_timeout"] = strconv.FormatInt(cfg.IdleTransaction.Milliseconds(), 10)
	if pc.ConnConfig.ValidateConnect == nil {
		// A standby would answer with the past.
		pc.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("open catalog: %w", err)
	}
	if err := checkVersion(ctx, pool); err != nil {
		pool.Close()
		return nil, fmt.Errorf("open catalog: %w", err)
	}
	return &Catalog{pool: pool, log: cfg.Log}, nil
}

func checkVersion(ctx context.Context, pool *pgxpool.Pool) error {
	var s string
	if err := pool.QueryRow(ctx, "SHOW server_version_num").Scan(&s); err != nil {
		return err
	}
	if n, err := strconv.Atoi(s); err != nil || n < minVersion {
		return fmt.Errorf("the server is version %s: PostgreSQL 15 or newer is needed", s)
	}
	return nil
}

// Close waits for calls in flight and closes every connection.
func (c *Catalog) Close() { c.pool.Close() }

// Ping checks that the database answers.
func (c *Catalog) Ping(ctx context.Context) error {
	if err := c.pool.Ping(ctx); err != nil {
		return fmt.Errorf("ping catalog: %w", err)
	}
	return nil
}

// Schema returns the files of the schema, migrations/<version>_<what>.sql.
func Schema() fs.FS { return schema }

// Migrate brings the schema up to date. Any number of processes may call it at once: one works, the others wait.
func (c *Catalog) Migrate(ctx context.Context) error {
	dir, err := fs.Sub(schema, "migrations")
	if err != nil {
		return fmt.Errorf("migrate catalog: %w", err)
	}
	db := stdlib.OpenDBFromPool(c.pool)
	defer db.Close()
	p, err := goose.NewProvider(goose.DialectPostgres, db, dir, goose.WithTableName("signalbox_migration"),
		goose.WithDisableGlobalRegistry(true), goose.WithSlog(c.log))
	if err != nil {
		return fmt.Errorf("migrate catalog: %w", err)
	}
	err = c.Lock(ctx, "migrate", func(ctx context.Context) error {
		_, err := p.Up(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("migrate catalog: %w", err)
	}
	return nil
}
