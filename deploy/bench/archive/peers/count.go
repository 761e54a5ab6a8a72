package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/google/uuid"
	"github.com/parquet-go/parquet-go"
	"golang.org/x/sync/errgroup"

	"github.com/signalbox-ml/signalbox/registry/bucket"
)

// idColumn has the CloudEvents id of a row, in the files of every archiver.
const idColumn = "ce_id"

// tally is what is in the files that a reader of an archive reads.
type tally struct {
	rows    int64
	lost    int // events of the topic that are in no file
	doubled int64
	strange int64 // rows that are no events of the topic
}

func (t tally) String() string {
	return fmt.Sprintf("%d rows, %d lost, %d doubled, %d strange", t.rows, t.lost, t.doubled, t.strange)
}

// count reads all rows of some files and compares them with what was produced.
func (r *run) count(ctx context.Context, keys []string, want []uuid.UUID) (tally, error) {
	times := make(map[uuid.UUID]int, len(want))
	for _, id := range want {
		times[id] = 0
	}
	var mu sync.Mutex
	var t tally
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2)
	for _, key := range keys {
		group.Go(func() error {
			ids, err := r.ids(ctx, key)
			if err != nil {
				return fmt.Errorf("read %s: %w", key, err)
			}
			mu.Lock()
			defer mu.Unlock()
			t.add(ids, times)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return t, err
	}
	for _, n := range times {
		if n == 0 {
			t.lost++
		}
	}
	return t, nil
}

// add counts the rows of one file.
func (t *tally) add(ids []uuid.UUID, times map[uuid.UUID]int) {
	for _, id := range ids {
		t.rows++
		n, known := times[id]
		switch {
		case !known:
			t.strange++
		case n > 0:
			t.doubled++
		}
		if known {
			times[id] = n + 1
		}
	}
}

// ids reads the identifiers of all rows of a file.
func (r *run) ids(ctx context.Context, key string) ([]uuid.UUID, error) {
	body, _, err := r.bucket.Get(ctx, key, bucket.Range{})
	if err != nil {
		return nil, err
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	return idsOf(bytes.NewReader(b), int64(len(b)))
}

func idsOf(at io.ReaderAt, size int64) ([]uuid.UUID, error) {
	f, err := parquet.OpenFile(at, size, parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, err
	}
	column, ok := f.Schema().Lookup(idColumn)
	if !ok {
		return nil, fmt.Errorf("no column %s", idColumn)
	}
	ids := make([]uuid.UUID, 0, f.NumRows())
	for _, group := range f.RowGroups() {
		pages := group.ColumnChunks()[column.ColumnIndex].Pages()
		ids, err = appendIDs(ids, pages)
		if err := errors.Join(err, pages.Close()); err != nil {
			return nil, err
		}
	}
	if int64(len(ids)) != f.NumRows() {
		return nil, fmt.Errorf("%d identifiers in %d rows", len(ids), f.NumRows())
	}
	return ids, nil
}

func appendIDs(ids []uuid.UUID, pages parquet.Pages) ([]uuid.UUID, error) {
	var values [1024]parquet.Value
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return ids, nil
		}
		if err != nil {
			return nil, err
		}
		for reader, more := page.Values(), true; more; {
			n, err := reader.ReadValues(values[:])
			for _, v := range values[:n] {
				id, err := uuid.ParseBytes(v.ByteArray())
				if err != nil {
					return nil, fmt.Errorf("row %d: %w", len(ids), err)
				}
				ids = append(ids, id)
			}
			if more = !errors.Is(err, io.EOF); more && err != nil {
				return nil, err
			}
		}
		parquet.Release(page)
	}
}

// rows sums the rows of files by their footers. A file is asked once.
func (r *run) rows(ctx context.Context, keys []string) (sum int64, err error) {
	for _, key := range keys {
		if _, known := r.counted[key]; !known {
			if r.counted[key], err = r.footer(ctx, key); err != nil {
				return 0, fmt.Errorf("read %s: %w", key, err)
			}
		}
		sum += r.counted[key]
	}
	return sum, nil
}

func (r *run) footer(ctx context.Context, key string) (int64, error) {
	attrs, err := r.bucket.Stat(ctx, key)
	if err != nil {
		return 0, err
	}
	part := func(p []byte, off int64) (int, error) {
		body, _, err := r.bucket.Get(ctx, key, bucket.Range{Offset: off, Length: int64(len(p))})
		if err != nil {
			return 0, err
		}
		defer body.Close()
		return io.ReadFull(body, p)
	}
	f, err := parquet.OpenFile(readerAt(part), attrs.Size, parquet.SkipBloomFilters(true), parquet.SkipPageIndex(true))
	if err != nil {
		return 0, err
	}
	return f.NumRows(), nil
}

// readerAt reads parts of an object.
type readerAt func(p []byte, off int64) (int, error)

// ReadAt reads one part.
func (f readerAt) ReadAt(p []byte, off int64) (int, error) { return f(p, off) }
