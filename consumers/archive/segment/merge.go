package segment

import (
	"cmp"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/parquet-go/parquet-go"
)

// Merged is a finished file of rows that come from others.
type Merged struct {
	Rows int64
	// Spans are the offsets that the rows span, one for each partition, in order.
	Spans []PartitionSpan
	// MinTime and MaxTime span the CloudEvents time of the rows that have one; zero if none has.
	MinTime, MaxTime time.Time
	// MinSeen and MaxSeen span the broker append time.
	MinSeen, MaxSeen time.Time
}

// PartitionSpan is offsets [Start, End) of a partition.
type PartitionSpan struct {
	Partition  int32
	Start, End int64
}

// MergeWriter writes one segment from rows of others, in any order of offsets, to where the caller wants it. Beside its rows
// it holds one row group.
type MergeWriter struct {
	encoder *encoder
	row     columns
	data    []member
	arena   []byte // what the encoder's rows alias
	group   int64  // bytes of rows in the open row group
	limit   int64  // of group
	merged  Merged
	timed   bool // a row has a CloudEvents time
	spans   map[int32]PartitionSpan
}

const (
	columnSubject = "ce_subject"
	// arenaBytes is how many bytes of rows are taken before Parquet takes them.
	arenaBytes = 1 << 20
)

// NewMergeWriter writes to w, with the typed columns of the types that of has. A row group ends where its rows reach groupBytes,
// even if it has fewer rows than others.
func NewMergeWriter(w io.Writer, of Columns, groupBytes int64) *MergeWriter {
	options := append(writerOptions(), parquet.BloomFilters(
		parquet.SplitBlockFilter(bloomBits, columnID), parquet.SplitBlockFilter(bloomBits, columnSubject)))
	return &MergeWriter{
		encoder: newEncoder(w, newTyped(of), options...),
		limit:   groupBytes, spans: map[int32]PartitionSpan{},
	}
}

// Append adds a row as Stored.AppendTo encodes it. It keeps nothing of b.
func (w *MergeWriter) Append(b []byte) error {
	if w.encoder.full() || len(w.arena)+len(b) > cap(w.arena) {
		if err := w.settle(); err != nil {
			return err
		}
		if cap(w.arena) < max(len(b), arenaBytes) || cap(w.arena) > arenaBytes && len(b) <= arenaBytes {
			w.arena = make([]byte, 0, max(len(b), arenaBytes))
		}
	}
	at := len(w.arena)
	w.arena = append(w.arena, b...)
	if err := w.row.scan(w.arena[at:]); err != nil {
		return err
	}
	w.note(&w.row)
	w.encoder.add(&w.row, w.members())
	w.group += int64(len(b))
	if w.group < w.limit {
		return nil
	}
	return w.Flush()
}

// members are those of the row's data, if its type has typed columns. They are read again: the columns may have been asked for
// after the row was first written.
func (w *MergeWriter) members() []member {
	if w.row.Data == nil || !w.encoder.typed.has(w.row.Type) {
		return nil
	}
	w.data, _ = appendMembers(w.data[:0], w.row.Data) // it is strict, or it would not be text
	return w.data
}

// Size is how many bytes the file has so far, at the most: what is not in a row group yet is not compressed.
func (w *MergeWriter) Size() int64 { return w.encoder.parquet.Size() + int64(len(w.arena)) }

// Flush ends the row group, so that Size is exact but for the footer.
func (w *MergeWriter) Flush() error {
	if err := w.settle(); err != nil {
		return err
	}
	w.group = 0
	return w.encoder.endGroup()
}

// Close ends the file.
func (w *MergeWriter) Close() (Merged, error) {
	if err := w.encoder.close(); err != nil {
		return Merged{}, err
	}
	w.merged.Spans = slices.SortedFunc(maps.Values(w.spans), func(a, b PartitionSpan) int { return cmp.Compare(a.Partition, b.Partition) })
	return w.merged, nil
}

func (w *MergeWriter) settle() error {
	defer func() { w.arena = w.arena[:0] }()
	return w.encoder.settle()
}

func (w *MergeWriter) note(c *columns) {
	m, seen := &w.merged, time.UnixMicro(c.AppendTime).UTC()
	if m.Rows == 0 {
		m.MinSeen, m.MaxSeen = seen, seen
	}
	m.Rows++
	m.MinSeen, m.MaxSeen = extend(m.MinSeen, m.MaxSeen, seen)
	if t := instantAt(c.Time); c.Time != nil {
		if !w.timed { // zero is a time too
			w.timed, m.MinTime, m.MaxTime = true, t, t
		}
		m.MinTime, m.MaxTime = extend(m.MinTime, m.MaxTime, t)
	}
	s, ok := w.spans[c.Partition]
	if !ok {
		s = PartitionSpan{c.Partition, c.Offset, c.Offset + 1}
	}
	s.Start, s.End = min(s.Start, c.Offset), max(s.End, c.Offset+1)
	w.spans[c.Partition] = s
}
