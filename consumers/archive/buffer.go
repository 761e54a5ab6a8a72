package archive

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/signalbox-ml/signalbox/events"
)

// buffer is records in memory as bytes alone. What the tap fetched is free as soon as it is copied here, and the garbage
// collector finds no pointers: a flush holds a hundred thousand records of seven slices each.
//
//	record  offset, append time in microseconds, key, value, number of headers, headers
//	header  place of its name in names, from 1, or 0 and the name itself; value
//	bytes   length and 1, or 0 for null; the bytes
//
// Numbers are varints.
type buffer struct {
	free   *sync.Pool // of chunks, *[chunkSize]byte; nil makes new ones
	chunks [][]byte
	places []place
	names  []string
	known  map[string]uint64 // name: its place, from 1
}

// place is where a record begins.
type place struct{ chunk, at uint32 }

const (
	chunkSize = 64 << 10
	// maxNames bounds what hostile headers can make a buffer remember.
	maxNames = 256
	// What a record takes in memory beside its bytes, and a header, at most but for absurd lengths.
	recordBytes = 32
	headerBytes = 8
)

// sizeOf is what r takes in a buffer.
func sizeOf(r *events.Record) int64 {
	n := recordBytes + len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += headerBytes + len(r.Headers[i].Value)
	}
	return int64(n)
}

// mostOf is what the bytes of r take at most.
func mostOf(r *events.Record) int {
	n := 5*binary.MaxVarintLen64 + len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += 3*binary.MaxVarintLen64 + len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}

func (b *buffer) len() int { return len(b.places) }

// add copies r.
func (b *buffer) add(r *events.Record) {
	c := b.chunk(mostOf(r))
	b.places = append(b.places, place{uint32(len(b.chunks) - 1), uint32(len(*c))})
	p := binary.AppendVarint(*c, r.Offset)
	p = binary.AppendVarint(p, r.AppendTime.UnixMicro())
	p = appendBytes(appendBytes(p, r.Key), r.Value)
	p = binary.AppendUvarint(p, uint64(len(r.Headers)))
	for i := range r.Headers {
		h := &r.Headers[i]
		if n := b.name(h.Key); n > 0 {
			p = binary.AppendUvarint(p, n)
		} else {
			p = appendBytes(append(p, 0), []byte(h.Key))
		}
		p = appendBytes(p, h.Value)
	}
	*c = p
}

// chunk returns the last chunk, a new one where it has no room for n bytes.
func (b *buffer) chunk(n int) *[]byte {
	if last := len(b.chunks) - 1; last >= 0 && cap(b.chunks[last])-len(b.chunks[last]) >= n {
		return &b.chunks[last]
	}
	if n > chunkSize {
		b.chunks = append(b.chunks, make([]byte, 0, n))
	} else {
		b.chunks = append(b.chunks, b.spare()[:0])
	}
	return &b.chunks[len(b.chunks)-1]
}

// name returns the place of a header's name, 0 for one too many.
func (b *buffer) name(key string) uint64 {
	if n, ok := b.known[key]; ok {
		return n
	}
	if len(b.names) == maxNames {
		return 0
	}
	if b.known == nil {
		b.known = map[string]uint64{}
	}
	b.names = append(b.names, key)
	b.known[key] = uint64(len(b.names))
	return uint64(len(b.names))
}

// record reads record i into r. Its bytes belong to b; its headers are in r's own memory, which is used again.
func (b *buffer) record(i int, r *events.Record) {
	at := b.places[i]
	p := reader{b.chunks[at.chunk][at.at:]}
	r.Offset = p.varint()
	r.AppendTime = time.UnixMicro(p.varint()).UTC()
	r.Key, r.Value = p.bytes(), p.bytes()
	r.Headers = r.Headers[:0]
	for range p.uvarint() {
		var h events.RecordHeader
		if n := p.uvarint(); n > 0 {
			h.Key = b.names[n-1]
		} else {
			h.Key = string(p.bytes())
		}
		h.Value = p.bytes()
		r.Headers = append(r.Headers, h)
	}
}

func (b *buffer) spare() []byte {
	if b.free != nil {
		if c, ok := b.free.Get().(*[chunkSize]byte); ok {
			return c[:]
		}
	}
	return make([]byte, chunkSize)
}

// release gives the memory back. Nothing of a record may be in use.
func (b *buffer) release() {
	for _, c := range b.chunks {
		if b.free != nil && cap(c) == chunkSize {
			b.free.Put((*[chunkSize]byte)(c[:chunkSize]))
		}
	}
	*b = buffer{}
}

func appendBytes(p, v []byte) []byte {
	if v == nil {
		return append(p, 0)
	}
	return append(binary.AppendUvarint(p, uint64(len(v))+1), v...)
}

// reader reads what add wrote.
type reader struct{ p []byte }

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.p)
	r.p = r.p[n:]
	return v
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.p)
	r.p = r.p[n:]
	return v
}

func (r *reader) bytes() []byte {
	n := r.uvarint()
	if n == 0 {
		return nil
	}
	v := r.p[: n-1 : n-1]
	r.p = r.p[n-1:]
	return v
}
