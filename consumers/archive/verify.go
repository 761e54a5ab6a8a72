package archive

import (
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// steps is the part of the ledger that is only added to.
type steps interface {
	// History returns every partition of every topic, in order of the topics' ids.
	History(ctx context.Context) ([]ledger.PartitionState, error)
	// Flushes returns the flushes of p that end after offset from, in order, at most limit.
	Flushes(ctx context.Context, p ledger.Partition, from int64, limit int) ([]ledger.Flush, error)
	// Swaps returns the swaps of a topic with a number of at least from, in order, at most limit.
	Swaps(ctx context.Context, topicID uuid.UUID, from int64, limit int) ([]ledger.Swap, error)
}

// history is what Verify reads of the ledger.
type history interface {
	steps
	// Inventory returns every file that ever was, by key, those behind the key after, at most limit.
	Inventory(ctx context.Context, after string, limit int) ([]ledger.FileState, error)
	// Files returns live files by key.
	Files(ctx context.Context, q ledger.FileQuery) ([]ledger.LedgerFile, error)
}

// Verifier holds the archive against what it is made of. The archive may go on meanwhile.
type Verifier struct {
	// Ledger and Bucket are the two halves of the archive. Required.
	Ledger history
	Bucket bucket.Bucket
	// Log is Kafka, nil to leave it out.
	Log logReader
	// Deep reads every byte and every row, also of Log; otherwise stores are believed what they say of checksums. It takes
	// the disk space of one file, and a bit of memory for each record of a topic.
	Deep bool
	// Grace is how old the first record of a partition must be that the ledger does not know. Default 1 min.
	Grace time.Duration
}

// Report is what a Verifier found. Of files, rows and bytes it counts what is live.
type Report struct {
	Partitions int   `json:"partitions"`
	Flushes    int64 `json:"flushes"`
	Swaps      int64 `json:"swaps"`
	Files      int64 `json:"files"`
	Rows       int64 `json:"rows"`
	Bytes      int64 `json:"bytes"`
	// Lost counts offsets that retention removed before they could be archived. They are no fault of the archive.
	Lost int64 `json:"lost"`
	// Orphans are objects that the ledger does not know: of crashes, or of flushes under way. They do no harm.
	Orphans Objects `json:"orphans"`
	// Purgeable are objects of files that were purged and that are there all the same.
	Purgeable Objects `json:"purgeable"`
	// Kafka is what was looked at there; nil if it was left out.
	Kafka *LogReport `json:"kafka,omitempty"`
	// Faults says what is wrong, one line each; without any the archive is whole.
	Faults []string `json:"faults"`
	// MoreFaults counts those beyond the first maxFaults.
	MoreFaults int64 `json:"more_faults,omitempty"`
}

// Objects counts objects of the bucket.
type Objects struct {
	Count int64 `json:"count"`
	Bytes int64 `json:"bytes"`
}

func (o *Objects) add(a bucket.Attrs) { o.Count, o.Bytes = o.Count+1, o.Bytes+a.Size }

// LogReport is what a Verifier saw of Kafka.
type LogReport struct {
	Partitions int `json:"partitions"`
	// Compared counts records that Kafka still has and that are in the archive byte for byte.
	Compared int64 `json:"compared"`
	// Duplicates counts records that compaction left out, and of whose event another delivery is in the archive.
	Duplicates int64 `json:"duplicates"`
}

// Whole reports whether nothing is wrong.
func (r Report) Whole() bool { return len(r.Faults) == 0 }

const (
	// page is how much of the ledger is read at a time.
	page = 500
	// maxFaults bounds the list: where a bucket is gone, every file is a fault.
	maxFaults = 1000
)

// Verify looks at everything but Kafka, and believes the store's checksums.
func Verify(ctx context.Context, l history, b bucket.Bucket) (Report, error) {
	return Verifier{Ledger: l, Bucket: b}.Run(ctx)
}

// Run walks the ledger from the first step: flushes follow each other without a hole or an overlap, swaps lose no row, both
// are chains that the bucket has too, and the bucket has every file with the promised bytes. An error means that it could
// not look; what it found wrong is in the report.
func (v Verifier) Run(ctx context.Context) (Report, error) {
	v.Grace = cmp.Or(v.Grace, time.Minute)
	w := &verification{Verifier: v, seed: maphash.MakeSeed(), swaps: map[int64]*swapTally{}}
	if err := w.run(ctx); err != nil {
		return w.report, fmt.Errorf("verify archive: %w", err)
	}
	return w.report, nil
}

// verification is one walk. It holds a few numbers of each partition and each swap, and pages of the rest.
type verification struct {
	Verifier
	report     Report
	states     []ledger.PartitionState // when the walk began
	head       int64                   // the newest flush among them
	seed       maphash.Seed
	flushed    tally                // files of flushes
	swaps      map[int64]*swapTally // by place
	sought     seeking
	manifests  *listing
	unmirrored []pending
}

func (v *verification) run(ctx context.Context) error {
	var err error
	if v.states, err = v.Ledger.History(ctx); err != nil {
		return err
	}
	if err := v.steps(ctx); err != nil {
		return err
	}
	if err := v.files(ctx); err != nil {
		return err
	}
	if v.Log == nil {
		return nil
	}
	return v.log(ctx)
}

// steps walks the flushes and the swaps, in the order of their manifests' keys.
func (v *verification) steps(ctx context.Context) error {
	v.manifests = newListing(v.Bucket.List(ctx, manifestPrefix))
	defer v.manifests.stop()
	for i, s := range v.states {
		v.report.Partitions++
		if err := v.partition(ctx, s); err != nil {
			return fmt.Errorf("%s/%d: %w", s.Topic, s.Partition.Partition, err)
		}
		if i+1 < len(v.states) && v.states[i+1].TopicID == s.TopicID {
			continue
		}
		if err := v.topicSwaps(ctx, s.Partition); err != nil {
			return fmt.Errorf("%s: %w", s.Topic, err)
		}
	}
	if err := v.manifests.rest(func(a bucket.Attrs) error { return v.strayManifest(ctx, a) }); err != nil {
		return err
	}
	return v.mirroredLate(ctx)
}

func (v *verification) fault(format string, args ...any) {
	if len(v.report.Faults) == maxFaults {
		v.report.MoreFaults++
		return
	}
	v.report.Faults = append(v.report.Faults, fmt.Sprintf(format, args...))
}

// faultOf is a fault of a partition.
func (v *verification) faultOf(p ledger.Partition, format string, args ...any) {
	v.fault("%s: "+format, append([]any{nameOf(p)}, args...)...)
}

func nameOf(p ledger.Partition) string {
	if p.Partition == ledger.Several {
		return p.Topic
	}
	return fmt.Sprintf("%s/%d", p.Topic, p.Partition)
}
