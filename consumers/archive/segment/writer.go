package segment

import (
	"bytes"
	"time"

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

// Writer encodes one segment after another, in memory. It is not safe for concurrent use.
type Writer struct {
	out     bytes.Buffer
	plain   *encoder // without typed columns
	special *encoder // with those that were last asked for; nil before
	encoder *encoder // of the open segment: one of the two
	unpack  *unpacker
	row     columns
	seg     Segment
	timed   bool // a row of seg has a CloudEvents time
}

// NewWriter returns a writer that is ready for the rows of its first segment.
func NewWriter() *Writer {
	w := &Writer{unpack: newUnpacker()}
	w.plain = newEncoder(&w.out, &typed{}, writerOptions()...)
	w.encoder = w.plain
	return w
}

// Columns says which typed columns the segments from here on have. Call it before the first row of one.
func (w *Writer) Columns(of Columns) {
	t := newTyped(of)
	w.unpack.typed = t
	switch {
	case len(t.columns) == 0:
		w.encoder = w.plain
		return
	case w.special == nil || !w.special.typed.sameFormat(t):
		w.special = newEncoder(&w.out, t, writerOptions()...)
	}
	w.special.typed = t
	w.encoder = w.special
}

// Append adds a record. Rows must come in the order of their offsets. Its bytes must not change until Close.
func (w *Writer) Append(partition int32, r *events.Record) error {
	w.unpack.unpack(partition, r, &w.row)
	w.note(&w.row)
	w.encoder.add(&w.row, w.unpack.members(&w.row))
	if !w.encoder.full() {
		return nil
	}
	defer w.unpack.reset()
	return w.encoder.settle()
}

// Close ends the segment and makes the writer ready for the next one.
func (w *Writer) Close() (Segment, error) {
	defer w.Reset()
	if err := w.encoder.close(); err != nil {
		return Segment{}, err
	}
	seg := w.seg
	seg.Body = bytes.Clone(w.out.Bytes())
	seg.Digest = cas.Sum(seg.Body)
	return seg, nil
}

// Reset drops the rows since the last Close.
func (w *Writer) Reset() {
	w.out.Reset()
	w.encoder.reset()
	w.unpack.reset()
	w.seg, w.timed = Segment{}, false
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
