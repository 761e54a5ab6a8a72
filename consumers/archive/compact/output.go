package compact

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

const mediaParquet = "application/vnd.apache.parquet"

// output writes the rows of a job to files of about the target, and those to the bucket.
type output struct {
	c     *Compactor
	job   job
	n     int64 // of the swap
	left  int64 // bytes of encoded rows that are to come
	files []ledger.File
	open  *openFile // nil between files
}

// openFile is a file that takes rows.
type openFile struct {
	local *os.File
	to    *bufio.Writer
	sum   hash.Hash
	rows  *segment.MergeWriter
	raw   int64 // bytes of encoded rows in it
	last  bool  // it takes all the rest
}

// row adds a row to the open file.
func (o *output) row(ctx context.Context, row []byte) error {
	if o.open == nil {
		if err := o.begin(); err != nil {
			return err
		}
	}
	f := o.open
	if err := f.rows.Append(row); err != nil {
		return err
	}
	f.raw += int64(len(row))
	o.left -= int64(len(row))
	if f.last || f.rows.Size() < o.c.cfg.Target {
		return nil
	}
	full, err := o.full(f)
	if err == nil && full {
		err = o.end(ctx)
	}
	return err
}

// full decides whether a file ends that may have the target's size. It does not where too little for another would be left,
// so that all files but the only one are between half and twice the target, and none of them is merged again.
func (o *output) full(f *openFile) (bool, error) {
	if err := f.rows.Flush(); err != nil {
		return false, err
	}
	size, target := f.rows.Size(), o.c.cfg.Target
	if size < target/4*3 {
		return false, nil // rows in memory look larger than they become
	}
	f.last = float64(o.left)*float64(size)/float64(f.raw) < float64(target)/2
	return !f.last, nil
}

func (o *output) begin() error {
	local, err := o.c.scratch()
	if err != nil {
		return err
	}
	f := &openFile{local: local, sum: sha256.New()}
	f.to = bufio.NewWriterSize(io.MultiWriter(local, f.sum), 256<<10)
	columns := o.c.cfg.Columns(o.job.topic)
	if o.job.typ != ledger.TypeMixed {
		columns = columns.Only(o.job.typ)
	}
	f.rows = segment.NewMergeWriter(f.to, columns, groupBytes)
	o.open = f
	return nil
}

// end finishes the open file and stores it.
func (o *output) end(ctx context.Context) error {
	f := o.open
	o.open = nil
	if f == nil {
		return nil
	}
	defer f.local.Close()
	merged, err := f.rows.Close()
	if err == nil {
		err = f.to.Flush()
	}
	if err != nil {
		return fmt.Errorf("merged file: %w", err)
	}
	size, err := f.local.Seek(0, io.SeekCurrent)
	if err != nil {
		return fmt.Errorf("merged file: %w", err)
	}
	file := o.describe(merged, size, cas.Digest(f.sum.Sum(nil)))
	if file.Key, err = o.store(ctx, f.local, file); err != nil {
		return err
	}
	o.files = append(o.files, file)
	return nil
}

// drop ends the output without the open file.
func (o *output) drop() {
	if o.open != nil {
		_ = o.open.local.Close()
	}
}

func (o *output) describe(m segment.Merged, size int64, sum cas.Digest) ledger.File {
	f := ledger.File{
		Digest: sum, Bytes: size, Rows: m.Rows, Type: o.job.typ, Hour: o.job.hour, Start: m.Spans[0].Start, End: m.Spans[0].End,
		MinTime: m.MinTime, MaxTime: m.MaxTime, MinSeen: m.MinSeen, MaxSeen: m.MaxSeen,
	}
	for _, s := range m.Spans {
		f.Spans = append(f.Spans, ledger.Span{Partition: s.Partition, Start: s.Start, End: s.End})
		f.Start, f.End = min(f.Start, s.Start), max(f.End, s.End)
	}
	return f
}

// store puts a file beside those that it replaces. Its name has the number of the swap, so that one which was beaten leaves
// only names that no other swap can take, and the digest, so that the same merge finds its own file.
func (o *output) store(ctx context.Context, body io.ReadSeeker, f ledger.File) (key string, err error) {
	for _, digits := range []int{16, 64} {
		key = path.Join(path.Dir(o.job.files[0].Key), fmt.Sprintf("c-%d-%d-%s.parquet", o.n, len(o.files), f.Digest.Hex()[:digits]))
		err = o.c.put(ctx, key, body, f.Bytes, f.Digest, mediaParquet)
		if !errors.Is(err, ErrConflict) {
			break
		}
		o.c.counts.conflicts.Add(1)
		o.c.cfg.Log.WarnContext(ctx, "name of a merged file is taken", "key", key)
	}
	return key, err
}

// put stores body under key unless it is there already.
func (c *Compactor) put(ctx context.Context, key string, body io.ReadSeeker, size int64, sum cas.Digest, contentType string) error {
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	ctx, cancel := within(ctx, size)
	defer cancel()
	_, err := c.cfg.Bucket.Put(ctx, key, body, size, bucket.PutOptions{CreateOnly: true, SHA256: sum, ContentType: contentType})
	if !errors.Is(err, bucket.ErrExists) {
		return tooSlow(ctx, err)
	}
	there, err := c.digestOf(ctx, key)
	if err == nil && there != sum {
		err = fmt.Errorf("%s: %w", key, ErrConflict)
	}
	return tooSlow(ctx, err)
}

// digestOf returns the digest of an object, from the store if it knows it.
func (c *Compactor) digestOf(ctx context.Context, key string) (sum cas.Digest, err error) {
	attrs, err := c.cfg.Bucket.Stat(ctx, key)
	if err != nil || attrs.SHA256 != [32]byte{} {
		return attrs.SHA256, err
	}
	r, _, err := c.cfg.Bucket.Get(ctx, key, bucket.Range{})
	if err != nil {
		return sum, err
	}
	defer r.Close()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return sum, fmt.Errorf("read %s: %w", key, err)
	}
	return cas.Digest(h.Sum(nil)), nil
}

// inOrder returns the files of a finished output as a swap has them.
func (o *output) inOrder() []ledger.File {
	slices.SortFunc(o.files, func(a, b ledger.File) int { return strings.Compare(a.Key, b.Key) })
	return o.files
}
