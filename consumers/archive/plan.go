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

// plan sorts a batch into at most maxFiles files: one for each type, and one for the smallest types beyond. The order
// is by type, so that a repeated plan is the same.
func plan(recs []events.Record, maxFiles int) []group {
	byType := map[string]*group{}
	for i := range recs {
		r := &recs[i]
		kind := segment.Inspect(r)
		g, ok := byType[string(kind.Type)]
		if !ok {
			g = &group{typ: fileType(string(kind.Type))}
			byType[string(kind.Type)] = g
		}
		g.rows = append(g.rows, int32(i))
		g.bytes += sizeOf(r)
		available := kind.Recorded
		if available.IsZero() {
			available = r.AppendTime
		}
		g.available = later(g.available, available)
	}
	var groups, mixed []group
	for _, g := range byType {
		if g.typ == ledger.TypeMixed {
			mixed = append(mixed, *g)
			continue
		}
		groups = append(groups, *g)
	}
	slices.SortFunc(groups, func(x, y group) int { return cmp.Or(cmp.Compare(y.bytes, x.bytes), cmp.Compare(x.typ, y.typ)) })
	if over := len(groups) + min(1, len(mixed)); over > maxFiles {
		keep := max(0, maxFiles-1)
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
