package icebergview

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// Ledger is the part of the ledger that says what is in the archive.
type Ledger interface {
	// History returns every partition of every topic.
	History(ctx context.Context) ([]ledger.PartitionState, error)
	// Files returns live files by key.
	Files(ctx context.Context, q ledger.FileQuery) ([]ledger.LedgerFile, error)
}

// Views keeps where the tables are.
type Views interface {
	// View returns the view of a topic; its Location is empty if there is none.
	View(ctx context.Context, topicID uuid.UUID) (ledger.View, error)
	// MoveView makes next current if the table is at from, empty for a new one: else ledger.ErrViewMoved.
	MoveView(ctx context.Context, next ledger.View, from string) error
}

// Config says what a Publisher publishes, and where.
type Config struct {
	// Ledger says which files are live. Required.
	Ledger Ledger
	// Views keeps where the tables are. Required.
	Views Views
	// Bucket has the files, and gets the tables' metadata. Required.
	Bucket bucket.Bucket
	// BucketName is what readers call the bucket. Required.
	BucketName string

	// Catalog and Namespace are what readers call the catalog and the tables' namespace. A table stays where it was made.
	// Default signalbox and archive.
	Catalog, Namespace string
	// Interval is the least time between two snapshots of a table, whoever makes them. Default and minimum 1 min.
	Interval time.Duration
	// Snapshots is how many snapshots of a table stay at most. Default 100.
	Snapshots int
	// Retain is how long a snapshot stays at most after a newer one is there; the files that it shows stay as long. Default 24 h.
	Retain time.Duration
	// Log gets what happens; nil discards.
	Log *slog.Logger
}

const (
	// sweepEvery is how often metadata is removed that no snapshot needs.
	sweepEvery = time.Hour
	// sweepAge is how old such metadata must be: a publisher at work has some that nothing refers to yet.
	sweepAge = time.Hour
	// bound is for one table: what takes longer is begun again.
	bound = 5 * time.Minute
)

func (c Config) withDefaults() Config {
	c.Catalog = cmp.Or(c.Catalog, "signalbox")
	c.Namespace = cmp.Or(c.Namespace, "archive")
	c.Interval = cmp.Or(c.Interval, time.Minute)
	c.Snapshots = cmp.Or(c.Snapshots, 100)
	c.Retain = cmp.Or(c.Retain, 24*time.Hour)
	c.Log = cmp.Or(c.Log, slog.New(slog.DiscardHandler))
	return c
}

var identifier = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

func (c Config) validate() error {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf("iceberg view: "+format, args...))
		}
	}
	fault(c.Ledger == nil, "Ledger is nil")
	fault(c.Views == nil, "Views is nil")
	fault(c.Bucket == nil, "Bucket is nil")
	fault(c.BucketName == "", "BucketName is empty")
	for _, name := range []string{c.Catalog, c.Namespace} {
		fault(name != "" && !identifier.MatchString(name), "%q is no name: want a-z, 0-9 and _, at most 63", name)
	}
	fault(c.Interval != 0 && c.Interval < time.Minute, "Interval is %s: want 1 min or more, each snapshot costs every reader", c.Interval)
	fault(c.Snapshots < 0, "Snapshots is %d", c.Snapshots)
	fault(c.Retain < 0, "Retain is %s", c.Retain)
	return errors.Join(faults...)
}
