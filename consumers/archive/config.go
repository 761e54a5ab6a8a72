package archive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// positions is the part of the ledger that moves.
type positions interface {
	// Claim makes owner the only one who may extend p.
	Claim(ctx context.Context, p ledger.Partition, owner string) (ledger.Claim, error)
	// Commit extends a partition by f, if its claim still holds, and publishes what seal returns in the same
	// transaction. It returns f with Seq and Committed; the same flush again returns the same.
	Commit(ctx context.Context, f ledger.Flush, seal func(seq int64) ([]events.Event, error)) (ledger.Flush, error)
	// Observe notes that a partition without new records is complete up to a time.
	Observe(ctx context.Context, c ledger.Claim, archivedThrough, eventTime time.Time, caughtUp bool) error
	// History returns every partition of every topic.
	History(ctx context.Context) ([]ledger.PartitionState, error)
	// Flushes returns the flushes of p that end after offset from, in order, at most limit.
	Flushes(ctx context.Context, p ledger.Partition, from int64, limit int) ([]ledger.Flush, error)
}

// Config says where an Archiver writes and how much it keeps in memory.
type Config struct {
	// Ledger holds the positions. Required.
	Ledger positions
	// Bucket takes files and manifests. Required.
	Bucket bucket.Bucket
	// Owner names this process in the ledger, for people. Required.
	Owner string
	// Source is the CloudEvents source of archive.sealed. Required.
	Source string
	// Committer hears how far a partition was taken, for lag tools; nil tells nobody.
	Committer events.Committer
	// Columns says which typed columns the events of a topic have, by type. It is asked once for each flush. Nil means none.
	Columns func(topic string) segment.Columns
	// NoSealTopics are archived without events; nil means the topic of archive.sealed itself and its dead letters, which would
	// feed themselves.
	NoSealTopics []string

	// MaxBytes is the size of records in memory, per partition, that ends a flush. Default 64 MiB.
	MaxBytes int64
	// MaxRows is the number of records that ends a flush. Default 1,000,000.
	MaxRows int
	// MaxAge is how long a record waits at most before its flush begins. Default 60 s.
	MaxAge time.Duration
	// Budget is the size of records in memory over all partitions. Above it the largest partition is flushed and
	// delivery waits. Default 256 MiB.
	Budget int64
	// MaxFiles is how many files one flush may have; the smallest types beyond share one. Default 32.
	MaxFiles int
	// Skew bounds how old the news that a partition is idle may be, together with how far this clock may be ahead of the
	// broker's: such a partition counts as complete up to this long ago. Default 3 s.
	Skew time.Duration
	// Drain bounds the last flushes when Run stops, and any hand-off that has no bound of its own. Default 15 s.
	Drain time.Duration
	// Log gets what happens; nil discards.
	Log *slog.Logger
}

const (
	// idle is how often an idle partition's progress is noted in the ledger.
	idle = time.Second
	// attempt bounds one call to the bucket, the ledger or Kafka; the same call is then made again.
	attempt = time.Minute
)

func (c Config) withDefaults() Config {
	if c.NoSealTopics == nil {
		c.NoSealTopics = []string{events.TopicArchive, events.DeadLetterTopic(events.TopicArchive)}
	}
	if c.Columns == nil {
		c.Columns = func(string) segment.Columns { return nil }
	}
	setDefault(&c.MaxBytes, 64<<20)
	setDefault(&c.MaxRows, 1_000_000)
	setDefault(&c.MaxAge, time.Minute)
	setDefault(&c.Budget, 256<<20)
	setDefault(&c.MaxFiles, 32)
	setDefault(&c.Skew, 3*time.Second)
	setDefault(&c.Drain, 15*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

func (c Config) validate() error {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf("archive: "+format, args...))
		}
	}
	fault(c.Ledger == nil, "Ledger is nil")
	fault(c.Bucket == nil, "Bucket is nil")
	fault(c.Owner == "", "Owner is empty")
	fault(c.Source == "", "Source is empty")
	fault(c.MaxBytes < 0, "MaxBytes is %d", c.MaxBytes)
	fault(c.MaxRows < 0, "MaxRows is %d", c.MaxRows)
	fault(c.MaxAge < 0, "MaxAge is %s", c.MaxAge)
	fault(c.Budget < 0, "Budget is %d", c.Budget)
	fault(c.MaxFiles < 0, "MaxFiles is %d", c.MaxFiles)
	fault(c.Skew < 0, "Skew is %s", c.Skew)
	fault(c.Drain < 0, "Drain is %s", c.Drain)
	return errors.Join(faults...)
}

// seals reports whether flushes of topic are events.
func (c Config) seals(topic string) bool { return !slices.Contains(c.NoSealTopics, topic) }

// encoders is how many flushes are encoded at the same time: encoding is all CPU.
func encoders() int { return runtime.GOMAXPROCS(0) }
