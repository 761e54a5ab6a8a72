package main

import (
	"encoding/json"
	"errors"
	"io"
)

// What one request may hold: the server's bounds.
const (
	maxBatch      = 1000
	maxBatchBytes = 8<<20 - 2 // with the brackets
)

// batches cuts a stream of events into requests.
type batches struct {
	objects *objectReader
	held    json.RawMessage // did not fit into the last one
	read    int             // events handed out
}

// next returns as many events as one request may hold, none at the end.
func (b *batches) next() ([]json.RawMessage, error) {
	var out []json.RawMessage
	size := 0
	for len(out) < maxBatch {
		ev := b.held
		b.held = nil
		if ev == nil {
			var err error
			if ev, err = b.objects.next(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, err
			}
		}
		if len(out) > 0 && size+len(ev)+1 > maxBatchBytes {
			b.held = ev
			break
		}
		out, size = append(out, ev), size+len(ev)+1
	}
	b.read += len(out)
	return out, nil
}

func joined(batch []json.RawMessage) []byte {
	b := []byte{'['}
	for i, ev := range batch {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, ev...)
	}
	return append(b, ']')
}
