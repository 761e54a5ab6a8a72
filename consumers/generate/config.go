package generate

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/ledger"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// Specs lists declared objects; a registry.Catalog is one.
type Specs interface {
	ListSpecs(ctx context.Context, kind string) ([]registry.Spec, error)
}

// Datasets lists what is registered; a registry.Catalog is one.
type Datasets interface {
	ListDatasets(ctx context.Context, f registry.DatasetFilter) ([]registry.Dataset, error)
}

// Ledger says what is in the archive.
type Ledger interface {
	// Partitions returns how far each partition of a topic is archived.
	Partitions(ctx context.Context, topic string) ([]ledger.PartitionState, error)
	// Flushes returns the flushes of a partition that end after offset from, in order, at most limit.
	Flushes(ctx context.Context, p ledger.Partition, from int64, limit int) ([]ledger.Flush, error)
	// Files returns live files.
	Files(ctx context.Context, q ledger.FileQuery) ([]ledger.LedgerFile, error)
}

// Publisher registers a dataset and announces it in one transaction, as registry.Registry.PublishDataset does. created
// is false for a repeat.
type Publisher func(ctx context.Context, m manifest.Dataset) (d registry.Dataset, created bool, err error)

// Config is what a Generator works with.
type Config struct {
	Specs    Specs
	Datasets Datasets
	Ledger   Ledger
	Bucket   bucket.Bucket // of the archive, and for the datasets
	Publish  Publisher
	Engine   Engine

	// CacheDir keeps archive files between builds, and the files of running builds. One process uses it.
	CacheDir string
	// CacheBytes is how much of it archive files may take; 0: 10 GiB. A build that needs more takes more meanwhile.
	CacheBytes int64
	// Memory is the engine's limit in bytes; 0: 1 GiB. The process may need half as much again.
	Memory int64
	// Threads of the engine; 0: one per core.
	Threads int

	// Interval is how often due windows are looked for without a hint; 0: 5 s.
	Interval time.Duration
	// Backoff is the first pause after a failed build of a spec, doubled up to 64-fold; 0: 5 s.
	Backoff time.Duration
	// Drain is how long a running build may go on once Run is told to stop; 0: 10 s.
	Drain time.Duration
	Log   *slog.Logger // nil discards
}

func (c Config) withDefaults() Config {
	c.CacheBytes = cmp.Or(c.CacheBytes, 10<<30)
	c.Memory = cmp.Or(c.Memory, 1<<30)
	c.Interval = cmp.Or(c.Interval, 5*time.Second)
	c.Backoff = cmp.Or(c.Backoff, 5*time.Second)
	c.Drain = cmp.Or(c.Drain, 10*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Log = c.Log.With("component", "generate")
	return c
}

func (c Config) validate() error {
	var errs []error
	need := func(ok bool, text string) {
		if !ok {
			errs = append(errs, errors.New("generate: "+text))
		}
	}
	need(c.Specs != nil, "Specs is missing")
	need(c.Datasets != nil, "Datasets is missing")
	need(c.Ledger != nil, "Ledger is missing")
	need(c.Bucket != nil, "Bucket is missing")
	need(c.Publish != nil, "Publish is missing")
	need(c.Engine != nil, "Engine is missing")
	need(c.CacheDir != "", "CacheDir is missing")
	need(c.CacheBytes > 0, "CacheBytes is negative")
	need(c.Memory >= 64<<20, "Memory is below 64 MiB, too little for any build")
	need(c.Threads >= 0, "Threads is negative")
	need(c.Interval > 0 && c.Backoff > 0 && c.Drain > 0, "a duration is negative")
	return errors.Join(errs...)
}
