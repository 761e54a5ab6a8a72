package extsort

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// source gives records in order. One is good until the next.
type source interface {
	next() (Record, bool, error)
}

// memory is what a sorter holds, sorted.
type memory struct {
	sorter *Sorter
	at     int
}

func (m *memory) next() (Record, bool, error) {
	if m.at == len(m.sorter.records) {
		return Record{}, false, nil
	}
	p := m.sorter.records[m.at]
	m.at++
	return Record{m.sorter.arena[p.key:p.value], m.sorter.arena[p.value:p.end]}, true, nil
}

// run is sorted records in a file.
type run struct {
	file  *os.File
	level int
}

func (r *run) read() (source, error) {
	if _, err := r.file.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("scratch file: %w", err)
	}
	return &reader{from: bufio.NewReaderSize(r.file, ioBuffer)}, nil
}

func closeAll(runs []*run) {
	for _, r := range runs {
		_ = r.file.Close()
	}
}

type reader struct {
	from *bufio.Reader
	buf  []byte
}

func (r *reader) next() (Record, bool, error) {
	key, err := binary.ReadUvarint(r.from)
	if errors.Is(err, io.EOF) {
		return Record{}, false, nil
	}
	value, err2 := binary.ReadUvarint(r.from)
	if err := errors.Join(err, err2); err != nil {
		return Record{}, false, fmt.Errorf("scratch file: %w", err)
	}
	r.buf = slices.Grow(r.buf[:0], int(key+value))[:key+value]
	if _, err := io.ReadFull(r.from, r.buf); err != nil {
		return Record{}, false, fmt.Errorf("scratch file: %w", err)
	}
	return Record{r.buf[:key:key], r.buf[key:]}, true, nil
}

func writeRecord(w *bufio.Writer, r Record) error {
	var head [2 * binary.MaxVarintLen64]byte
	b := binary.AppendUvarint(binary.AppendUvarint(head[:0], uint64(len(r.Key))), uint64(len(r.Value)))
	for _, part := range [][]byte{b, r.Key, r.Value} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// queue is a heap of sources by their next record; of equal ones the earlier source is first.
type queue []head

type head struct {
	record Record
	source source
	order  int
}

func (q *queue) pull(s source, order int) error {
	rec, ok, err := s.next()
	if ok {
		*q = append(*q, head{rec, s, order})
	}
	return err
}

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	if c := bytes.Compare(q[i].record.Key, q[j].record.Key); c != 0 {
		return c < 0
	}
	return q[i].order < q[j].order
}

func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(head)) }

func (q *queue) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}
