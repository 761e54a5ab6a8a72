package archive

import (
	"cmp"
	"slices"
	"sync"

	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/events"
)

// records is those of a batch, sorted by type as they come.
type records struct {
	free      *sync.Pool // of chunks, *[maxChunk]byte
	inspector segment.Inspector
	names     names
	layout    int      // of the record before
	places    []uint64 // of its names
	count     int
	byType    map[string]*group
	last      *group // of the record before
	lastType  string
}

func (rs *records) len() int { return rs.count }

// add copies r, and returns by how much the memory grew.
func (rs *records) add(r *events.Record) int64 {
	kind := rs.inspector.Inspect(r)
	if kind.Layout != rs.layout {
		rs.layout, rs.places = kind.Layout, rs.names.of(r, rs.places)
	}
	if rs.last == nil || string(kind.Type) != rs.lastType {
		rs.last, rs.lastType = rs.group(kind.Type)
	}
	g := rs.last
	before := g.of[0].held()
	g.of[0].add(r, rs.places, rs.free)
	g.bytes += sizeOf(r)
	available := kind.Recorded
	if available.IsZero() || available.After(r.AppendTime) { // whatever it says, it was available when it had been appended
		available = r.AppendTime
	}
	g.available = later(g.available, available)
	rs.count++
	return g.of[0].held() - before
}

func (rs *records) group(typ []byte) (*group, string) {
	g, ok := rs.byType[string(typ)]
	if ok {
		return g, string(typ)
	}
	if rs.byType == nil {
		rs.byType = map[string]*group{}
	}
	name := string(typ)
	g = &group{typ: fileType(name), of: []*buffer{{}}}
	rs.byType[name] = g
	return g, name
}

// each gives the records of g in the order of their offsets, until f fails. f must not keep one.
func (rs *records) each(g group, f func(r *events.Record) error) error {
	type ref struct {
		b      *buffer
		i      int
		offset int64
	}
	var r events.Record
	var refs []ref
	for _, b := range g.of {
		for i := range b.len() {
			if len(g.of) > 1 {
				refs = append(refs, ref{b, i, b.offset(i)})
				continue
			}
			b.record(i, &rs.names, &r)
			if err := f(&r); err != nil {
				return err
			}
		}
	}
	slices.SortFunc(refs, func(x, y ref) int { return cmp.Compare(x.offset, y.offset) })
	for _, at := range refs {
		at.b.record(at.i, &rs.names, &r)
		if err := f(&r); err != nil {
			return err
		}
	}
	return nil
}

// release gives the memory back. Nothing of a record may be in use.
func (rs *records) release() {
	for _, g := range rs.byType {
		g.of[0].release(rs.free)
	}
	*rs = records{free: rs.free, count: rs.count}
}
