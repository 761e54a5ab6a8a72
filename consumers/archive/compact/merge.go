package compact

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/signalbox-ml/signalbox/consumers/archive/compact/extsort"
	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// merging is the rows of a job on their way through scratch files.
type merging struct {
	c          *Compactor
	rows       *extsort.Sorter
	duplicates duplicates
	key, value []byte
	raw        int64 // bytes of encoded rows that stay
	dropped    int64 // rows
}

// newMerging gives most of the memory to the rows: what finds duplicates is smaller.
func newMerging(c *Compactor) *merging {
	rest := c.cfg.Memory / 4
	return &merging{
		c: c, rows: extsort.New(c.cfg.Dir, c.cfg.Memory-rest), duplicates: duplicates{sorter: extsort.New(c.cfg.Dir, rest)},
	}
}

func (m *merging) close() {
	for _, s := range []*extsort.Sorter{m.rows, m.duplicates.sorter} {
		m.c.counts.sorted(s.Largest(), s.Spilled())
		s.Close()
	}
}

// read takes the rows of a file.
func (m *merging) read(ctx context.Context, f ledger.LedgerFile) error {
	local, err := m.c.download(ctx, f.File)
	if err != nil {
		return err
	}
	defer local.Close()
	rows := int64(0)
	for row, err := range segment.ReadStored(local, f.Bytes) {
		if err != nil {
			return fmt.Errorf("%s: %w", f.Key, err)
		}
		m.key = append(appendOrder(m.key[:0], row), isRow)
		m.value = row.AppendTo(m.value[:0])
		if err := m.rows.Add(m.key, m.value); err != nil {
			return err
		}
		if err := m.duplicates.add(row, m.key[:len(m.key)-1], int64(len(m.value))); err != nil {
			return err
		}
		m.raw += int64(len(m.value))
		rows++
	}
	if rows != f.Rows {
		return fmt.Errorf("%s has %d rows, want %d: %w", f.Key, rows, f.Rows, ErrCorrupt)
	}
	return nil
}

// settle decides which rows are left out.
func (m *merging) settle() error {
	repeated, err := m.duplicates.leave(func(order []byte, size int64) error {
		m.dropped, m.raw = m.dropped+1, m.raw-size
		m.key = append(append(m.key[:0], order...), leftOut)
		return m.rows.Add(m.key, nil)
	})
	m.c.counts.repeated.Add(repeated)
	return err
}

// sorted calls take with each row that stays, in order.
func (m *merging) sorted(ctx context.Context, take func(row []byte) error) error {
	var skip []byte
	for r, err := range m.rows.Sorted() {
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		order, kind := r.Key[:len(r.Key)-1], r.Key[len(r.Key)-1]
		switch {
		case kind == leftOut:
			skip = append(skip[:0], order...)
		case len(skip) > 0 && bytes.Equal(skip, order):
			skip = skip[:0]
		default:
			if err := take(r.Value); err != nil {
				return err
			}
		}
	}
	return nil
}

// download copies a file to one on disk without a name, so that nothing is left of it whatever happens.
func (c *Compactor) download(ctx context.Context, f ledger.File) (*os.File, error) {
	ctx, cancel := within(ctx, f.Bytes)
	defer cancel()
	body, _, err := c.cfg.Bucket.Get(ctx, f.Key, bucket.Range{})
	if err != nil {
		return nil, tooSlow(ctx, err)
	}
	defer body.Close()
	local, err := c.scratch()
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(local, sum), io.LimitReader(body, f.Bytes+1))
	if got := cas.Digest(sum.Sum(nil)); err == nil && (n != f.Bytes || got != f.Digest) {
		err = fmt.Errorf("%d bytes %s, want %d bytes %s: %w", n, got, f.Bytes, f.Digest, ErrCorrupt)
	}
	if err != nil {
		_ = local.Close()
		return nil, fmt.Errorf("fetch %s: %w", f.Key, tooSlow(ctx, err))
	}
	return local, nil
}

func (c *Compactor) scratch() (*os.File, error) {
	f, err := os.CreateTemp(c.cfg.Dir, "file-*")
	if err != nil {
		return nil, fmt.Errorf("scratch file: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("scratch file: %w", err), f.Close())
	}
	return f, nil
}
