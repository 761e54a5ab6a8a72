package archive

import (
	"cmp"
	"slices"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// group is the rows of a batch that share a file.
type group struct {
	typ       string
	rows      []int32 // indices, ascending
	bytes     int64
	available time.Time // greatest availability time: recordedtime, else append time
}

// planner sorts the records of a batch by type as they come.
type planner struct {
	inspector segment.Inspector
	byType    map[string]*group
}

// add takes record i of the batch.
func (p *planner) add(i int, r *events.Record) {
	kind := p.inspector.Inspect(r)
	g, ok := p.byType[string(kind.Type)]
	if !ok {
		if p.byType == nil {
			p.byType = map[string]*group{}
		}
		g = &group{typ: fileType(string(kind.Type))}
		p.byType[string(kind.Type)] = g
	}
	g.rows = append(g.rows, int32(i))
	g.bytes += sizeOf(r)
	available := kind.Recorded
	if available.IsZero() {
		available = r.AppendTime
	}
	g.available = later(g.available, available)
}

// files says which records share a file, at most so many: one for each type, and one for the smallest types beyond. The order
// is by type, so that it is the same each time.
func (p *planner) files(most int) []group {
	var groups, mixed []group
	for _, g := range p.byType {
		if g.typ == ledger.TypeMixed {
			mixed = append(mixed, *g)
			continue
		}
		groups = append(groups, *g)
	}
	slices.SortFunc(groups, func(x, y group) int { return cmp.Or(cmp.Compare(y.bytes, x.bytes), cmp.Compare(x.typ, y.typ)) })
	if over := len(groups) + min(1, len(mixed)); over > most {
		keep := max(0, most-1)
		groups, mixed = groups[:keep], append(mixed, groups[keep:]...)
	}
	if len(mixed) > 0 {
		groups = append(groups, merge(mixed))
	}
	slices.SortFunc(groups, func(x, y group) int { return cmp.Compare(x.typ, y.typ) })
	return groups
}

// fileType is the type of the file for events of a type. Names that begin with an underscore are the archive's own. What
// the ledger cannot store may be in no file's name, or one producer's record would stall its partition for ever.
func fileType(ceType string) string {
	switch {
	case ceType == "":
		return ledger.TypeOther
	case ceType[0] == '_' || !ledger.Storable(ceType):
		return ledger.TypeMixed
	}
	return ceType
}

func merge(groups []group) group {
	all := group{typ: ledger.TypeMixed}
	for _, g := range groups {
		all.rows = append(all.rows, g.rows...)
		all.bytes += g.bytes
		all.available = later(all.available, g.available)
	}
	slices.Sort(all.rows)
	return all
}
