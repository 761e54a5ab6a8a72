package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// objectReader reads JSON objects out of an array, or one after another.
type objectReader struct {
	what  string // one of them, for errors
	dec   *json.Decoder
	array bool
	done  bool // the array has ended
	read  int
}

// newObjectReader looks which of the two forms in has.
func newObjectReader(in io.Reader, what string) (*objectReader, error) {
	b := bufio.NewReader(in)
	for {
		c, err := b.ReadByte()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("there are no %ss in it", what)
		}
		if err != nil {
			return nil, fmt.Errorf("read %ss: %w", what, err)
		}
		switch c {
		case ' ', '\t', '\r', '\n':
			continue
		}
		if err := b.UnreadByte(); err != nil {
			return nil, fmt.Errorf("read %ss: %w", what, err)
		}
		r := &objectReader{what: what, dec: json.NewDecoder(b), array: c == '['}
		if r.array {
			_, err = r.dec.Token()
		}
		return r, err
	}
}

// next returns one object, or io.EOF where all is read and nothing is missing.
func (r *objectReader) next() (json.RawMessage, error) {
	if r.done {
		return nil, io.EOF
	}
	if r.array && !r.dec.More() {
		return nil, r.end()
	}
	r.read++
	var v json.RawMessage
	err := r.dec.Decode(&v)
	switch {
	case errors.Is(err, io.EOF) && !r.array:
		return nil, io.EOF
	case err != nil:
		return nil, fmt.Errorf("%s %d is not JSON: %w", r.what, r.read, err)
	case v[0] != '{':
		return nil, fmt.Errorf("%s %d is no JSON object", r.what, r.read)
	}
	return v, nil
}

// end reads the end of the array: io.EOF if it is there and nothing follows.
func (r *objectReader) end() error {
	if _, err := r.dec.Token(); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the array of %ss does not end", r.what)
	} else if err != nil {
		return fmt.Errorf("read %ss: %w", r.what, err)
	}
	r.done = true
	if _, err := r.dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("something follows the array of %ss", r.what)
	}
	return io.EOF
}
