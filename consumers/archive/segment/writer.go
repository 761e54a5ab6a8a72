package segment

import (
	"bytes"
	"fmt"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

// Segment is a finished file.
type Segment struct {
	Body   []byte
	Digest cas.Digest
	Rows   int64
	// Start and End are the offsets [Start, End) that the rows span.
	Start, End int64
	// MinTime and MaxTime span the CloudEvents time of the rows that have one; zero if none has.
	MinTime, MaxTime time.Time
	// MinSeen and MaxSeen span the broker append time.
	MinSeen, MaxSeen time.Time
}

// rowsAtOnce is how many rows are unpacked before Parquet takes them, and back.
const rowsAtOnce = 256

// Writer encodes one segment after another, in memory. It is not safe for concurrent use.
type Writer struct {
	out     bytes.Buffer
	options []parquet.WriterOption
	parquet *parquet.GenericWriter[columns]
	unpack  *unpacker
	closed  bool // parquet ended a file
	rows    []columns
	seg     Segment
	timed   bool // a row of seg has a CloudEvents time
}

// NewWriter returns a writer that is ready for the rows of its first segment.
func NewWriter() *Writer {
	w := &Writer{options: writerOptions(), unpack: newUnpacker(), rows: make([]columns, 0, rowsAtOnce)}
	w.Reset()
	return w
}

// Append adds a record. Rows must come in the order of their offsets. Its bytes must not change until Close.
func (w *Writer) Append(partition int32, r *events.Record) error {
	w.rows = w.rows[:len(w.rows)+1]
	c := &w.rows[len(w.rows)-1]
	w.unpack.unpack(partition, r, c)
	w.note(c)
	if len(w.rows) < cap(w.rows) {
		return nil
	}
	return w.flush()
}

// Close ends the segment and makes the writer ready for the next one.
func (w *Writer) Close() (Segment, error) {
	defer w.Reset()
	if err := w.flush(); err != nil {
		return Segment{}, err
	}
	if err := w.parquet.Close(); err != nil {
		return Segment{}, fmt.Errorf("close segment: %w", err)
	}
	w.closed = true
	seg := w.seg
	seg.Body = bytes.Clone(w.out.Bytes())
	seg.Digest = cas.Sum(seg.Body)
	return seg, nil
}

// Reset drops the rows since the last Close.
func (w *Writer) Reset() {
	w.out.Reset()
	w.encoder()
	w.rows = w.rows[:0]
	w.unpack.reset()
	w.seg, w.timed = Segment{}, false
}

// encoder makes the Parquet writer ready. One costs as much as some hundred rows, so one that ended a file is used again. The
// footer of that file shares the names of the columns with the writer, and parquet-go v0.32 wipes what a footer had.
func (w *Writer) encoder() {
	if !w.closed {
		w.parquet = parquet.NewGenericWriter[columns](&w.out, w.options...)
		return
	}
	for _, group := range w.parquet.File().Metadata().RowGroups {
		for i := range group.Columns {
			group.Columns[i].MetaData.PathInSchema = nil
		}
	}
	w.parquet.Reset(&w.out)
	w.closed = false
}

func (w *Writer) flush() error {
	if err := writeRows(w.parquet, w.rows); err != nil {
		return err
	}
	clear(w.rows)
	w.rows = w.rows[:0]
	w.unpack.reset()
	return nil
}

// writeRows writes rows of one shape together: see shape.
func writeRows(w *parquet.GenericWriter[columns], rows []columns) error {
	for len(rows) > 0 {
		n := 1
		for shape := rows[0].shape(); n < len(rows) && rows[n].shape() == shape; n++ {
		}
		if _, err := w.Write(rows[:n]); err != nil {
			return fmt.Errorf("encode rows: %w", err)
		}
		rows = rows[n:]
	}
	return nil
}

// note keeps the extremes. Append times may go back by a little when a partition changes its leader.
func (w *Writer) note(c *columns) {
	seen := time.UnixMicro(c.AppendTime).UTC()
	if w.seg.Rows == 0 {
		w.seg.Start, w.seg.MinSeen, w.seg.MaxSeen = c.Offset, seen, seen
	}
	w.seg.Rows++
	w.seg.End = c.Offset + 1
	w.seg.MinSeen, w.seg.MaxSeen = extend(w.seg.MinSeen, w.seg.MaxSeen, seen)
	if c.Time == nil {
		return
	}
	t := time.UnixMicro(*c.Time).UTC()
	if !w.timed { // zero is a time too
		w.timed, w.seg.MinTime, w.seg.MaxTime = true, t, t
	}
	w.seg.MinTime, w.seg.MaxTime = extend(w.seg.MinTime, w.seg.MaxTime, t)
}

func extend(low, high, t time.Time) (time.Time, time.Time) {
	if t.Before(low) {
		low = t
	}
	if t.After(high) {
		high = t
	}
	return low, high
}
