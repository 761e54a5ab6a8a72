package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// Read yields the rows of a segment of size bytes, in order, until the first error. Check the digest of bytes that came
// over a wire first: damage need not be visible to a reader.
func Read(r io.ReaderAt, size int64) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		f, err := open(r, size)
		if err != nil {
			yield(Row{}, err)
			return
		}
		rows := parquet.NewGenericReader[columns](f)
		defer func() { _ = rows.Close() }()
		for {
			batch, err := next(rows)
			for _, row := range batch {
				if !yield(row, nil) {
					return
				}
			}
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(Row{}, err)
				return
			}
		}
	}
}

// next reads some rows. With the last ones it returns io.EOF.
func next(rows *parquet.GenericReader[columns]) (batch []Row, err error) {
	err = guard(func() error {
		buf := make([]columns, rowsAtOnce)
		n, readErr := rows.Read(buf)
		for i := range buf[:n] {
			row, err := restore(&buf[i])
			if err != nil {
				return err
			}
			batch = append(batch, row)
		}
		if readErr != nil && !errors.Is(readErr, io.EOF) {
			return fmt.Errorf("read segment: %w: %w", ErrMalformed, readErr)
		}
		return readErr
	})
	return batch, err
}

// Find returns the first row of the event with the given CloudEvents id. It reads the pages of one column and then
// those of one row; a bloom filter spares most row groups that do not hold it.
func Find(r io.ReaderAt, size int64, id string) (Row, error) {
	var row Row
	err := guard(func() error {
		f, err := open(r, size)
		if err != nil {
			return err
		}
		column, ok := f.Schema().Lookup(columnID)
		if !ok {
			return fmt.Errorf("no column %s: %w", columnID, ErrMalformed)
		}
		for _, group := range f.RowGroups() {
			at, err := seek(group.ColumnChunks()[column.ColumnIndex], id)
			if err != nil {
				return err
			}
			if at >= 0 {
				row, err = rowAt(group, at)
				return err
			}
		}
		return fmt.Errorf("%.80q: %w", id, ErrNotFound)
	})
	return row, err
}

// seek returns the index of the first value equal to id, -1 without one.
func seek(chunk parquet.ColumnChunk, id string) (int64, error) {
	want := parquet.ByteArrayValue([]byte(id))
	if bloom := chunk.BloomFilter(); bloom != nil {
		if may, err := bloom.Check(want); err == nil && !may {
			return -1, nil
		}
	}
	pages := chunk.Pages()
	defer pages.Close()
	at := int64(0)
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return -1, nil
		}
		if err != nil {
			return -1, fmt.Errorf("read %s: %w: %w", columnID, ErrMalformed, err)
		}
		i, err := seekPage(page, id)
		parquet.Release(page)
		if err != nil {
			return -1, err
		}
		if i >= 0 {
			return at + i, nil
		}
		at += page.NumRows()
	}
}

func seekPage(page parquet.Page, id string) (int64, error) {
	values := page.Values()
	var buf [rowsAtOnce]parquet.Value
	for at := int64(0); ; {
		n, err := values.ReadValues(buf[:])
		for i := range buf[:n] {
			if !buf[i].IsNull() && string(buf[i].ByteArray()) == id {
				return at + int64(i), nil
			}
		}
		at += int64(n)
		if errors.Is(err, io.EOF) {
			return -1, nil
		}
		if err != nil {
			return -1, fmt.Errorf("read %s: %w: %w", columnID, ErrMalformed, err)
		}
	}
}

func rowAt(group parquet.RowGroup, at int64) (Row, error) {
	rows := parquet.NewGenericRowGroupReader[columns](group)
	defer func() { _ = rows.Close() }()
	if err := rows.SeekToRow(at); err != nil {
		return Row{}, fmt.Errorf("seek row %d: %w: %w", at, ErrMalformed, err)
	}
	var buf [1]columns
	if n, err := rows.Read(buf[:]); n == 0 {
		return Row{}, fmt.Errorf("read row %d: %w: %w", at, ErrMalformed, err)
	}
	return restore(&buf[0])
}

func open(r io.ReaderAt, size int64) (f *parquet.File, err error) {
	if err := checkFooter(r, size); err != nil {
		return nil, fmt.Errorf("open segment: %w", err)
	}
	err = guard(func() error {
		if f, err = parquet.OpenFile(r, size); err != nil {
			return fmt.Errorf("open segment: %w: %w", ErrMalformed, err)
		}
		return checkCodecs(f)
	})
	return f, err
}

// checkCodecs refuses compression that the writer does not use: some of the others take memory without a bound.
func checkCodecs(f *parquet.File) error {
	for _, group := range f.Metadata().RowGroups {
		for _, column := range group.Columns {
			if codec := column.MetaData.Codec; codec != format.Zstd {
				return fmt.Errorf("a column compressed with %s: %w", codec, ErrMalformed)
			}
		}
	}
	return nil
}

// checkFooter refuses a footer that is larger than the file, for which the Parquet reader would first take the memory.
func checkFooter(r io.ReaderAt, size int64) error {
	var tail [8]byte // length of the footer, magic
	if size < int64(len(tail)) {
		return fmt.Errorf("%d bytes: %w", size, ErrMalformed)
	}
	if _, err := r.ReadAt(tail[:], size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the footer: %w", err)
	}
	if n := binary.LittleEndian.Uint32(tail[:]); int64(n) > size-int64(len(tail)) {
		return fmt.Errorf("a footer of %d bytes in %d: %w", n, size, ErrMalformed)
	}
	return nil
}

// guard turns a panic of the Parquet reader on hostile bytes into an error.
func guard(read func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("read segment: %v: %w", p, ErrMalformed)
		}
	}()
	return read()
}
