package archive

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/signalbox-ml/signalbox/events"
)

// buffer is the records of one type in memory, as bytes alone. What the tap fetched is free as soon as it is copied here,
// the garbage collector finds no pointers, and whoever encodes them reads memory from its start to its end.
//
//	record  offset, append time in microseconds, key, value, number of headers, headers
//	header  place of its name in names, from 1, or 0 and the name itself; value
//	bytes   length and 1, or 0 for null; the bytes
//
// Numbers are varints.
type buffer struct {
	chunks [][]byte
	places []place
	size   int // of all chunks
}

// place is where a record begins.
type place struct{ chunk, at uint32 }

// Sizes of chunks: a buffer grows by a quarter, so that few records of many types do not take a chunk each.
const (
	minChunk = 1 << 10
	maxChunk = 64 << 10 // such ones are used again
)

// What a record takes in memory beside its bytes, and a header, about.
const (
	recordBytes = 40
	headerBytes = 8
)

// sizeOf is about what r takes in a buffer.
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

// held is the memory of b.
func (b *buffer) held() int64 { return int64(b.size + 8*cap(b.places)) }

// add copies r, whose headers' names have places.
func (b *buffer) add(r *events.Record, names []uint64, free *sync.Pool) {
	c := b.chunk(mostOf(r), free)
	b.places = append(b.places, place{uint32(len(b.chunks) - 1), uint32(len(*c))})
	p := binary.AppendVarint(*c, r.Offset)
	p = binary.AppendVarint(p, r.AppendTime.UnixMicro())
	p = appendBytes(appendBytes(p, r.Key), r.Value)
	p = binary.AppendUvarint(p, uint64(len(r.Headers)))
	for i := range r.Headers {
		h := &r.Headers[i]
		p = binary.AppendUvarint(p, names[i])
		if names[i] == 0 {
			p = appendBytes(p, []byte(h.Key))
		}
		p = appendBytes(p, h.Value)
	}
	*c = p
}

// chunk returns the last chunk, a new one where it has no room for n bytes.
func (b *buffer) chunk(n int, free *sync.Pool) *[]byte {
	if last := len(b.chunks) - 1; last >= 0 && cap(b.chunks[last])-len(b.chunks[last]) >= n {
		return &b.chunks[last]
	}
	size := max(n, min(maxChunk, max(minChunk, b.size/4)))
	var c []byte
	if size == maxChunk {
		if used, ok := free.Get().(*[maxChunk]byte); ok {
			c = used[:0]
		}
	}
	if c == nil {
		c = make([]byte, 0, size)
	}
	b.chunks, b.size = append(b.chunks, c), b.size+size
	return &b.chunks[len(b.chunks)-1]
}

// record reads record i into r. Its bytes belong to b; its headers are in r's own memory, which is used again.
func (b *buffer) record(i int, n *names, r *events.Record) {
	p := b.from(i)
	r.Offset = p.varint()
	r.AppendTime = time.UnixMicro(p.varint()).UTC()
	r.Key, r.Value = p.bytes(), p.bytes()
	r.Headers = r.Headers[:0]
	for range p.uvarint() {
		var h events.RecordHeader
		if at := p.uvarint(); at > 0 {
			h.Key = n.list[at-1]
		} else {
			h.Key = string(p.bytes())
		}
		h.Value = p.bytes()
		r.Headers = append(r.Headers, h)
	}
}

// offset is that of record i.
func (b *buffer) offset(i int) int64 {
	p := b.from(i)
	return p.varint()
}

func (b *buffer) from(i int) reader {
	at := b.places[i]
	return reader{b.chunks[at.chunk][at.at:]}
}

// release gives the memory back. Nothing of a record may be in use.
func (b *buffer) release(free *sync.Pool) {
	for _, c := range b.chunks {
		if cap(c) == maxChunk {
			free.Put((*[maxChunk]byte)(c[:maxChunk]))
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
