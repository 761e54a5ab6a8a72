// Package extsort sorts more records than memory holds: sorted runs in scratch files, and a merge of them.
package extsort

import (
	"bufio"
	"bytes"
	"container/heap"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
)

// Sorter sorts records by their keys, byte by byte; equal keys come in the order in which they were added. It is not safe for
// concurrent use.
type Sorter struct {
	dir    string
	memory int64

	arena   []byte
	records []place
	runs    []*run
	spilled int64
	largest int64 // bytes held at the most
}

// place is a record in the arena.
type place struct{ key, value, end int }

const (
	// placeBytes is the memory of a place.
	placeBytes = 24
	// fanIn is how many runs of a level make one of the next: it bounds open files and read buffers.
	fanIn = 32
	// ioBuffer is of each run that is read or written.
	ioBuffer = 64 << 10
)

// New returns a sorter that holds some memory bytes of records, or one record if that is more. Files in dir have no names,
// so nothing is left of them whatever happens.
func New(dir string, memory int64) *Sorter { return &Sorter{dir: dir, memory: memory} }

// Add takes a record. It keeps nothing of key and value.
func (s *Sorter) Add(key, value []byte) error {
	if n := int64(len(key) + len(value) + placeBytes); len(s.records) > 0 && s.held()+n > s.memory {
		if err := s.spill(); err != nil {
			return err
		}
	}
	at := len(s.arena)
	s.arena = append(append(s.arena, key...), value...)
	s.records = append(s.records, place{at, at + len(key), len(s.arena)})
	s.largest = max(s.largest, s.held())
	return nil
}

// Largest is how many bytes of records were in memory at the most.
func (s *Sorter) Largest() int64 { return s.largest }

// Spilled is how many bytes were written to scratch files.
func (s *Sorter) Spilled() int64 { return s.spilled }

// Close frees the scratch files.
func (s *Sorter) Close() {
	closeAll(s.runs)
	s.arena, s.records, s.runs = nil, nil, nil
}

// Sorted yields all records in order, until the first error. They are good until the next one. It may be used once, and
// nothing may be added to the sorter after it began.
func (s *Sorter) Sorted() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		s.sort()
		sources := make([]source, 0, len(s.runs)+1)
		for _, r := range s.runs {
			src, err := r.read()
			if err != nil {
				yield(Record{}, err)
				return
			}
			sources = append(sources, src)
		}
		merge(append(sources, &memory{sorter: s}), yield)
	}
}

// Record is a key with a value.
type Record struct{ Key, Value []byte }

func (s *Sorter) held() int64 { return int64(len(s.arena) + placeBytes*len(s.records)) }

func (s *Sorter) sort() {
	slices.SortStableFunc(s.records, func(a, b place) int {
		return bytes.Compare(s.arena[a.key:a.value], s.arena[b.key:b.value])
	})
}

// spill writes what is in memory as a run. Many runs of a level become one of the next.
func (s *Sorter) spill() error {
	s.sort()
	r, err := s.write(0, []source{&memory{sorter: s}})
	if err != nil {
		return err
	}
	s.arena, s.records = s.arena[:0], s.records[:0]
	s.runs = append(s.runs, r)
	for {
		level := s.runs[len(s.runs)-1].level
		same := s.runs[max(0, len(s.runs)-fanIn):]
		if len(same) < fanIn || same[0].level != level {
			return nil
		}
		sources := make([]source, len(same))
		for i, r := range same {
			if sources[i], err = r.read(); err != nil {
				return err
			}
		}
		if r, err = s.write(level+1, sources); err != nil {
			return err
		}
		closeAll(same)
		s.runs = append(s.runs[:len(s.runs)-fanIn], r)
	}
}

// write merges sources into a run.
func (s *Sorter) write(level int, sources []source) (*run, error) {
	f, err := os.CreateTemp(s.dir, "sort-*")
	if err != nil {
		return nil, fmt.Errorf("scratch file: %w", err)
	}
	r := &run{file: f, level: level}
	err = os.Remove(f.Name())
	to := bufio.NewWriterSize(f, ioBuffer)
	merge(sources, func(rec Record, failed error) bool {
		if err = errors.Join(err, failed); err == nil {
			err = writeRecord(to, rec)
		}
		return err == nil
	})
	if err == nil {
		err = to.Flush()
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("scratch file: %w", err)
	}
	end, err := f.Seek(0, io.SeekCurrent)
	s.spilled += end
	return r, err
}

// merge yields the records of sorted sources in order.
func merge(sources []source, yield func(Record, error) bool) {
	var q queue
	for i, src := range sources {
		if err := q.pull(src, i); err != nil {
			yield(Record{}, err)
			return
		}
	}
	heap.Init(&q)
	for len(q) > 0 {
		if !yield(q[0].record, nil) {
			return
		}
		rec, ok, err := q[0].source.next()
		switch {
		case err != nil:
			yield(Record{}, err)
			return
		case ok:
			q[0].record = rec
			heap.Fix(&q, 0)
		default:
			heap.Pop(&q)
		}
	}
}
