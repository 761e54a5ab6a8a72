package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/signalbox-ml/signalbox/consumers/archive/mirror"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// history is the part of the ledger that Verify reads.
type history interface {
	// History returns every partition of every topic.
	History(ctx context.Context) ([]ledger.PartitionState, error)
	// Flushes returns the flushes of p that end after offset from, in order, at most limit.
	Flushes(ctx context.Context, p ledger.Partition, from int64, limit int) ([]ledger.Flush, error)
}

// Report is what Verify found.
type Report struct {
	Partitions int   `json:"partitions"`
	Flushes    int64 `json:"flushes"`
	Files      int64 `json:"files"`
	Rows       int64 `json:"rows"`
	Bytes      int64 `json:"bytes"`
	// Lost counts offsets that retention removed before they could be archived. They are no fault of the archive.
	Lost int64 `json:"lost"`
	// Faults says what is wrong, one line each; without any the archive is whole.
	Faults []string `json:"faults"`
}

// page is how many flushes Verify reads at a time.
const page = 500

// Verify walks the ledger from offset 0 of every partition: flushes follow each other without a hole or an overlap and are
// one chain, their files have all their records, every file and manifest is in the bucket with the promised bytes. An error means
// that it could not look; what it found wrong is in the report.
func Verify(ctx context.Context, l history, b bucket.Bucket) (Report, error) {
	states, err := l.History(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("verify archive: %w", err)
	}
	v := verifier{bucket: b}
	for _, s := range states {
		v.report.Partitions++
		if err := v.partition(ctx, l, s); err != nil {
			return v.report, fmt.Errorf("verify %s/%d: %w", s.Topic, s.Partition.Partition, err)
		}
	}
	return v.report, nil
}

type verifier struct {
	bucket bucket.Bucket
	report Report
}

func (v *verifier) fault(f ledger.Partition, format string, args ...any) {
	v.report.Faults = append(v.report.Faults, fmt.Sprintf("%s/%d: ", f.Topic, f.Partition)+fmt.Sprintf(format, args...))
}

func (v *verifier) partition(ctx context.Context, l history, s ledger.PartitionState) error {
	next, chain := int64(0), cas.Digest{}
	for next < s.Next {
		flushes, err := l.Flushes(ctx, s.Partition, next, page)
		if err != nil {
			return err
		}
		for _, f := range flushes {
			if f.Start >= s.Next {
				break // committed since the partition was read: the archive goes on while it is verified
			}
			if f.Start != next {
				v.fault(s.Partition, "offsets from %d to %d: flush %d starts elsewhere than the one before ends", next, f.Start, f.Seq)
			}
			if f.Previous != chain {
				v.fault(s.Partition, "flush %d continues manifest %q, the one before has %q", f.Seq, f.Previous, chain)
			}
			if err := v.flush(ctx, f); err != nil {
				return err
			}
			body, err := mirror.EncodeFlush(f)
			if err != nil {
				return err
			}
			next, chain = f.End, cas.Sum(body)
		}
		if len(flushes) == 0 || flushes[len(flushes)-1].Start >= s.Next {
			break
		}
	}
	if next != s.Next {
		v.fault(s.Partition, "flushes end at %d, the partition at %d", next, s.Next)
	}
	return nil
}

func (v *verifier) flush(ctx context.Context, f ledger.Flush) error {
	v.report.Flushes++
	rows := int64(0)
	for _, file := range f.Files {
		rows += file.Rows
		v.report.Files++
		v.report.Bytes += file.Bytes
		if err := v.file(ctx, f.Partition, file); err != nil {
			return err
		}
	}
	v.report.Rows += rows
	if f.Reason == ledger.ReasonLost {
		v.report.Lost += f.End - f.Start
	}
	if rows != f.Records {
		v.fault(f.Partition, "flush %d has %d records, its files %d rows", f.Seq, f.Records, rows)
	}
	return v.manifest(ctx, f)
}

func (v *verifier) file(ctx context.Context, p ledger.Partition, f ledger.File) error {
	attrs, err := v.bucket.Stat(ctx, f.Key)
	if errors.Is(err, bucket.ErrNotFound) {
		v.fault(p, "%s is missing", f.Key)
		return nil
	}
	if err != nil {
		return err
	}
	sum, err := digestOf(ctx, v.bucket, attrs)
	if err != nil {
		return err
	}
	if attrs.Size != f.Bytes || sum != f.Digest {
		v.fault(p, "%s has %d bytes %s, want %d bytes %s", f.Key, attrs.Size, sum, f.Bytes, f.Digest)
	}
	return nil
}

func (v *verifier) manifest(ctx context.Context, f ledger.Flush) error {
	want, err := mirror.EncodeFlush(f)
	if err != nil {
		return err
	}
	got, err := readAll(ctx, v.bucket, f.Manifest)
	switch {
	case errors.Is(err, bucket.ErrNotFound):
		v.fault(f.Partition, "%s is missing", f.Manifest)
	case err != nil:
		return err
	case !bytes.Equal(got, want):
		v.fault(f.Partition, "%s does not say what the ledger says", f.Manifest)
	}
	return nil
}
