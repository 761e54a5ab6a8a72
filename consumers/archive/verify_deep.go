package archive

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// deep reads files row by row. Files come by key, and so topic by topic: it remembers the offsets of one.
type deep struct {
	*verification
	topic uuid.UUID
	seen  map[int32]offsets
}

// file checks every byte and every row of a file.
func (d *deep) file(ctx context.Context, f ledger.FileState) error {
	if d.seen == nil || d.topic != f.TopicID {
		d.topic, d.seen = f.TopicID, map[int32]offsets{}
	}
	local, err := download(ctx, d.Bucket, f.Key)
	if err != nil {
		return err
	}
	defer local.close()
	if local.size != f.Bytes || local.sum != f.Digest {
		d.faultOf(f.Partition, "%s has %d bytes %s, want %d bytes %s", f.Key, local.size, local.sum, f.Bytes, f.Digest)
		return nil
	}
	rows, last := int64(0), f.Start-1
	for row, err := range local.rows() {
		if errors.Is(err, segment.ErrMalformed) {
			d.faultOf(f.Partition, "%s cannot be read: %v", f.Key, err)
			return nil
		}
		if err != nil {
			return err
		}
		rows++
		if fault := d.row(f, row, last); fault != "" {
			d.faultOf(f.Partition, "%s: row %d, offset %d of partition %d: %s", f.Key, rows, row.Record.Offset, row.Partition, fault)
			return nil
		}
		last = row.Record.Offset
	}
	if rows != f.Rows {
		d.faultOf(f.Partition, "%s has %d rows, want %d", f.Key, rows, f.Rows)
	}
	return nil
}

// row says what is wrong with a row that comes after offset last. A reader passes over files by what the ledger says of them.
func (d *deep) row(f ledger.FileState, row segment.Row, last int64) string {
	o, at := row.Record.Offset, row.Record.AppendTime
	switch {
	case len(f.Spans) == 0 && row.Partition != f.Partition.Partition:
		return fmt.Sprintf("the file is of partition %d", f.Partition.Partition)
	case len(f.Spans) == 0 && o <= last:
		return fmt.Sprintf("it comes after offset %d", last)
	case o < f.Start, o >= f.End, len(f.Spans) > 0 && !within(f.Spans, row.Partition, o):
		return "it is outside the offsets of the file"
	case !typeFits(f.Type, row.CloudEvent.Type):
		return fmt.Sprintf("type %.80q is not of the file's type %.80q", row.CloudEvent.Type, f.Type)
	case at.Before(f.MinSeen) || at.After(f.MaxSeen):
		return fmt.Sprintf("appended at %s, the file's rows are said to be from %s to %s", at, f.MinSeen, f.MaxSeen)
	case !hourOf(at).Equal(f.Hour):
		return fmt.Sprintf("appended at %s, the file's rows are said to be of the hour of %s", at, f.Hour)
	case !timed(f, row.CloudEvent.Time):
		return fmt.Sprintf("the event is of %s, the file's are said to be from %s to %s", row.CloudEvent.Time, f.MinTime, f.MaxTime)
	case f.Removed == 0 && !d.first(row.Partition, o):
		return "another live file has it too"
	}
	return ""
}

// timed reports whether a file is said to have events of a time, zero for none.
func timed(f ledger.FileState, at time.Time) bool {
	return at.IsZero() || !at.Before(f.MinTime) && !at.After(f.MaxTime)
}

// first enters an offset, and reports whether it was not there.
func (d *deep) first(partition int32, offset int64) bool {
	if d.seen[partition] == nil {
		d.seen[partition] = offsets{}
	}
	return d.seen[partition].add(offset)
}

func within(spans []ledger.Span, partition int32, offset int64) bool {
	return slices.ContainsFunc(spans, func(s ledger.Span) bool {
		return s.Partition == partition && s.Start <= offset && offset < s.End
	})
}

// typeFits reports whether a file of a type may hold an event of another: compare plan.
func typeFits(file, event string) bool {
	return file == ledger.TypeMixed || file == fileType(event)
}

// offsets is a set, one bit for each, in pieces of chunk.
type offsets map[int64]*[chunk / 64]uint64

const chunk = 1 << 15

// add reports whether n was not there before.
func (s offsets) add(n int64) bool {
	c := s[n/chunk]
	if c == nil {
		c = new([chunk / 64]uint64)
		s[n/chunk] = c
	}
	word, bit := &c[n%chunk/64], uint64(1)<<(n%64)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	return true
}

// local is an object on disk, for readers that have to seek.
type local struct {
	f    *os.File
	size int64
	sum  cas.Digest
}

// download copies an object to a file without a name, so that nothing is left of it whatever happens.
func download(ctx context.Context, b bucket.Bucket, key string) (*local, error) {
	r, _, err := b.Get(ctx, key, bucket.Range{})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	f, err := os.CreateTemp("", "signalbox-verify-")
	if err != nil {
		return nil, fmt.Errorf("a file to read from: %w", err)
	}
	l := &local{f: f}
	h := sha256.New()
	l.size, err = io.Copy(io.MultiWriter(f, h), r)
	if err = errors.Join(os.Remove(f.Name()), err); err != nil {
		l.close()
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	l.sum = cas.Digest(h.Sum(nil))
	return l, nil
}

func (l *local) rows() iter.Seq2[segment.Row, error] { return segment.Read(l.f, l.size) }

func (l *local) close() { _ = l.f.Close() }
