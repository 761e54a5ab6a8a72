package compact

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// Ledger is the part of the ledger that says what is in the archive, and replaces files.
type Ledger interface {
	// History returns every partition of every topic.
	History(ctx context.Context) ([]ledger.PartitionState, error)
	// Files returns live files by key.
	Files(ctx context.Context, q ledger.FileQuery) ([]ledger.LedgerFile, error)
	// Inventory returns every file that ever was, by key, those behind the key after, at most limit.
	Inventory(ctx context.Context, after string, limit int) ([]ledger.FileState, error)
	// Swap replaces files in one step.
	Swap(ctx context.Context, s ledger.Swap) (ledger.Swap, error)
	// Swaps returns the swaps of a topic with a number of at least from, in order, at most limit.
	Swaps(ctx context.Context, topicID uuid.UUID, from int64, limit int) ([]ledger.Swap, error)
}

// References says which files must stay.
type References interface {
	// Referenced returns those of keys that a dataset was made from.
	Referenced(ctx context.Context, keys []string) (map[string]bool, error)
}

// Config says what a Compactor works on and how much it takes.
type Config struct {
	// Ledger holds what is live. Required.
	Ledger Ledger
	// Bucket has the files. Required.
	Bucket bucket.Bucket
	// References pins files against a purge. Required.
	References References
	// Columns says which typed columns the events of a topic have, by type; merged files have them for all their rows. Nil means
	// none.
	Columns func(topic string) segment.Columns
	// Dir takes scratch files: up to the uncompressed rows of a group, twice while long runs are merged. Required.
	Dir string

	// Interval is how often closed hours are looked for. Default 1 min.
	Interval time.Duration
	// Slack is how far past the end of an hour every partition must be archived. Negative, an hour is merged before it is over,
	// and again as files come; at least -1 h, which is from its beginning. Default 5 min.
	Slack time.Duration
	// Target is the size of a file in bytes; files come out between half and twice of it. Default 256 MiB.
	Target int64
	// MaxInput is how many bytes of files one swap replaces; larger groups take several. Default 16 GiB.
	MaxInput int64
	// Memory is for sorting, in bytes; a row group comes on top. Default 128 MiB.
	Memory int64
	// Lend is told how many bytes a merge takes at most before it begins, and what it returns is called at its end. Nil tells
	// nobody.
	Lend func(bytes int64) (giveBack func())
	// Grace is how long a replaced file stays. It must be longer than any build of a dataset. Default 24 h.
	Grace time.Duration
	// Log gets what happens; nil discards.
	Log *slog.Logger
}

const (
	// page is how much of the ledger is read at a time.
	page = 500
	// purgeFiles is how many files one purge removes at most.
	purgeFiles = 250
	// rescan is how often hours are looked at again that had nothing to merge: late files may have come.
	rescan = 6 * time.Hour
	// groupBytes ends a row group of large rows early, because Parquet holds it in memory.
	groupBytes = 128 << 20
	// drain bounds the call that decides, which goes on when the compactor is told to stop.
	drain = 15 * time.Second
)

func (c Config) withDefaults() Config {
	c.Interval = cmp.Or(c.Interval, time.Minute)
	c.Slack = cmp.Or(c.Slack, 5*time.Minute)
	c.Target = cmp.Or(c.Target, 256<<20)
	c.MaxInput = cmp.Or(c.MaxInput, 16<<30)
	c.Memory = cmp.Or(c.Memory, 128<<20)
	c.Grace = cmp.Or(c.Grace, 24*time.Hour)
	if c.Columns == nil {
		c.Columns = func(string) segment.Columns { return nil }
	}
	if c.Lend == nil {
		c.Lend = func(int64) func() { return func() {} }
	}
	c.Log = cmp.Or(c.Log, slog.New(slog.DiscardHandler))
	return c
}

func (c Config) validate() error {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf("compact: "+format, args...))
		}
	}
	fault(c.Ledger == nil, "Ledger is nil")
	fault(c.Bucket == nil, "Bucket is nil")
	fault(c.References == nil, "References is nil")
	fault(c.Dir == "", "Dir is empty")
	fault(c.Interval < 0, "Interval is %s", c.Interval)
	fault(c.Slack < -time.Hour, "Slack is %s", c.Slack)
	fault(c.Target < 0, "Target is %d", c.Target)
	fault(c.MaxInput < 0, "MaxInput is %d", c.MaxInput)
	fault(c.Memory < 0, "Memory is %d", c.Memory)
	fault(c.Grace < 0, "Grace is %s", c.Grace)
	return errors.Join(faults...)
}
