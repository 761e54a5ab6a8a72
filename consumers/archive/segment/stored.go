package segment

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/parquet-go/parquet-go"
)

// Stored is a row as its columns have it, for programs that move rows from file to file: nothing is unpacked again, so not
// one byte of it changes.
type Stored struct{ columns columns }

// ReadStored yields the rows of a segment of size bytes, in order, until the first error. A row is good until the next one.
func ReadStored(r io.ReaderAt, size int64) iter.Seq2[*Stored, error] {
	return func(yield func(*Stored, error) bool) {
		f, err := open(r, size)
		if err != nil {
			yield(nil, err)
			return
		}
		rows := parquet.NewGenericReader[columns](f)
		defer func() { _ = rows.Close() }()
		for {
			var buf [rowsAtOnce]columns
			var n int
			err := guard(func() (err error) { n, err = rows.Read(buf[:]); return err })
			for i := range buf[:n] {
				if !yield(&Stored{buf[i]}, nil) {
					return
				}
			}
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(nil, fmt.Errorf("read segment: %w: %w", ErrMalformed, err))
				return
			}
		}
	}
}

// Place is where the record of the row stands in the log.
func (s *Stored) Place() (partition int32, offset int64) {
	return s.columns.Partition, s.columns.Offset
}

// Times are in microseconds since the epoch; nil where the event has none.
func (s *Stored) Times() (appended int64, event, recorded *int64) {
	return s.columns.AppendTime, s.columns.Time, s.columns.RecordedTime
}

// Event is the identity of the row's event; nil for a record that is no CloudEvent.
func (s *Stored) Event() (source, id []byte) { return s.columns.Source, s.columns.ID }

// Subject is the event's, nil where it has none.
func (s *Stored) Subject() []byte { return s.columns.Subject }

// Content is equal for events that say the same: type, subject, time and data.
func (s *Stored) Content() [16]byte {
	c := &s.columns
	h := sha256.New()
	b := make([]byte, 0, 64)
	for _, v := range [][]byte{c.Type, c.Subject, c.Data, c.DataBytes} {
		h.Write(appendLength(b[:0], v))
		h.Write(v)
	}
	h.Write(appendInstant(b[:0], c.Time))
	return [16]byte(h.Sum(b[:0]))
}

// AppendTo appends the row to b in a form for scratch files, which MergeWriter takes.
func (s *Stored) AppendTo(b []byte) []byte {
	c := &s.columns
	b = binary.BigEndian.AppendUint32(b, uint32(c.Partition))
	b = binary.BigEndian.AppendUint64(b, uint64(c.Offset))
	b = binary.BigEndian.AppendUint64(b, uint64(c.AppendTime))
	b = appendInstant(appendInstant(b, c.Time), c.RecordedTime)
	for _, v := range c.texts() {
		b = append(appendLength(b, *v), *v...)
	}
	b = binary.AppendUvarint(b, uint64(len(c.Headers)))
	for _, h := range c.Headers {
		b = append(appendLength(b, h.Key), h.Key...)
		b = append(appendLength(b, h.Value), h.Value...)
		b = append(b, flag(h.Null))
	}
	return b
}

// texts are the columns of bytes.
func (c *columns) texts() [13]*[]byte {
	return [...]*[]byte{
		&c.Key, &c.ID, &c.Source, &c.Type, &c.Subject, &c.DataSchema, &c.DataContentType, &c.TraceParent, &c.Ext, &c.HeaderOrder,
		&c.Data, &c.DataBytes, &c.Value,
	}
}

// appendLength tells null, 0, from empty, 1.
func appendLength(b, v []byte) []byte {
	if v == nil {
		return append(b, 0)
	}
	return binary.AppendUvarint(b, uint64(len(v))+1)
}

func appendInstant(b []byte, t *int64) []byte {
	if t == nil {
		return append(b, 0)
	}
	return binary.BigEndian.AppendUint64(append(b, 1), uint64(*t))
}

func flag(set bool) byte {
	if set {
		return 1
	}
	return 0
}

// scanner takes apart what AppendTo put together. What it returns aliases its bytes.
type scanner struct {
	b   []byte
	bad bool
}

func (s *scanner) take(n uint64) []byte {
	if s.bad = s.bad || n > uint64(len(s.b)); s.bad {
		return nil
	}
	v := s.b[:n:n]
	s.b = s.b[n:]
	return v
}

func (s *scanner) number() uint64 {
	n, size := binary.Uvarint(s.b)
	if s.bad = s.bad || size <= 0; s.bad {
		return 0
	}
	s.b = s.b[size:]
	return n
}

func (s *scanner) fixed(size uint64) (n uint64) {
	for _, c := range s.take(size) {
		n = n<<8 | uint64(c)
	}
	return n
}

func (s *scanner) text() []byte {
	n := s.number()
	if n == 0 {
		return nil
	}
	return s.take(n - 1)
}

func (s *scanner) instant() *int64 {
	if s.fixed(1) == 0 {
		return nil
	}
	t := int64(s.fixed(8))
	return &t
}

// scan fills c from what AppendTo made. Errors are ErrMalformed.
func (c *columns) scan(b []byte) error {
	s := scanner{b: b}
	*c = columns{Partition: int32(s.fixed(4)), Offset: int64(s.fixed(8)), AppendTime: int64(s.fixed(8)), Time: s.instant(), RecordedTime: s.instant()}
	for _, v := range c.texts() {
		*v = s.text()
	}
	n := s.number()
	if s.bad || n > uint64(len(s.b)) {
		return fmt.Errorf("scratch row: %w", ErrMalformed)
	}
	for range n {
		c.Headers = append(c.Headers, header{Key: s.text(), Value: s.text(), Null: s.fixed(1) != 0})
	}
	if s.bad || len(s.b) > 0 {
		return fmt.Errorf("scratch row: %w", ErrMalformed)
	}
	return nil
}
