package ledger

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/events"
)

// Ledger is the authority on positions. An owner claims a partition, writes its files, and then commits the range that
// they hold; ledgertest has the suite that every implementation passes.
type Ledger interface {
	// Claim takes a partition over from whoever had it, and adds it at offset 0 if it is new.
	Claim(ctx context.Context, p Partition, owner string) (Claim, error)
	// Commit extends the partition by f, which must start where the partition ends: ErrFenced if it does not, or if the
	// claim is not the newest. seal makes the events that go into the outbox of the same transaction; it gets the
	// flush's place in the total order, which it may be given more than once, and an error of it leaves nothing. nil
	// makes none. The same flush again returns what the first time did.
	Commit(ctx context.Context, f Flush, seal func(seq int64) ([]events.Event, error)) (Flush, error)
	// Observe moves the watermark of a partition that has nothing new, forward only: ErrFenced if the claim is not the
	// newest.
	Observe(ctx context.Context, c Claim, archivedThrough, eventTime time.Time, caughtUp bool) error
	// Partitions returns the partitions of the newest topic called topic, or of every topic with "", in order.
	Partitions(ctx context.Context, topic string) ([]PartitionState, error)
	// History returns every partition of every topic, those of earlier topics of the same name included, in order of the
	// topics' ids.
	History(ctx context.Context) ([]PartitionState, error)
	// Files returns live files by key, those of earlier topics of the same name included. A moment of which an object was
	// removed since is ErrPurged.
	Files(ctx context.Context, q FileQuery) ([]LedgerFile, error)
	// Flushes returns the flushes of a partition that end after offset from, in order, at most limit (0: 100).
	Flushes(ctx context.Context, p Partition, from int64, limit int) ([]Flush, error)
	// Swap replaces files in one step: ErrSwapped if one of them is not in the state that the swap expects, or if N is not
	// the topic's next. The same swap again returns what the first time did.
	Swap(ctx context.Context, s Swap) (Swap, error)
	// Swaps returns the swaps of a topic with a number of at least from, in order, at most limit (0: 100).
	Swaps(ctx context.Context, topicID uuid.UUID, from int64, limit int) ([]Swap, error)
	// Inventory returns every file that ever was, by key, those behind the key after, at most limit (0: 100).
	Inventory(ctx context.Context, after string, limit int) ([]FileState, error)
	// Restore fills an empty ledger with a history, all or nothing: ErrNotEmpty if it is not empty, ErrTorn if the steps
	// contradict each other. Flushes of a partition come in order, swaps of a topic in order and behind the topic's
	// flushes. steps may be run through more than once; an error of it leaves nothing. No events are made. The places that
	// come next leave room for steps that the history may lack.
	Restore(ctx context.Context, steps iter.Seq2[Step, error]) error
}

// Validate lists everything that makes f no flush.
func (f Flush) Validate() error {
	var errs []error
	if f.Start < 0 || f.End <= f.Start {
		errs = append(errs, fmt.Errorf("offsets [%d, %d) are no range", f.Start, f.End))
	}
	if f.Records < 0 || f.Records > f.End-f.Start {
		errs = append(errs, fmt.Errorf("%d records in offsets [%d, %d)", f.Records, f.Start, f.End))
	}
	if f.Reason == "" {
		errs = append(errs, errors.New("reason is empty"))
	}
	for _, file := range f.Files {
		errs = append(errs, file.validate())
		if file.Start < f.Start || file.End > f.End || file.End <= file.Start {
			errs = append(errs, fmt.Errorf("file %s holds [%d, %d), which is not in [%d, %d)", file.Key, file.Start, file.End, f.Start, f.End))
		}
	}
	return errors.Join(errs...)
}

func (f File) validate() error {
	var errs []error
	if f.Key == "" || f.Digest.IsZero() {
		errs = append(errs, fmt.Errorf("file %q with digest %q: want both", f.Key, f.Digest))
	}
	if !Storable(f.Key) || !Storable(f.Type) {
		errs = append(errs, fmt.Errorf("file %.200q of type %.200q: want both to be UTF-8 without U+0000, of at most %d bytes",
			f.Key, f.Type, maxText))
	}
	return errors.Join(errs...)
}

// maxText is the longest text of a file, in bytes: an index of a database takes no more than some 2,700.
const maxText = 1024

// Storable is false for text that a database may refuse, or its index. Types come from whoever can write to Kafka.
func Storable(s string) bool {
	return len(s) <= maxText && utf8.ValidString(s) && !strings.ContainsRune(s, 0)
}
