package archive

import (
	"cmp"
	"slices"
	"time"

	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// group is the records of a batch that share a file.
type group struct {
	typ       string
	of        []*buffer
	bytes     int64
	available time.Time // greatest availability time: recordedtime, but append time where that is earlier
}

// files says which records share a file, of at most so many: one for each type, and one for the smallest types beyond. The
// order is by type, so that it is the same each time.
func (rs *records) files(most int) []group {
	var groups, mixed []group
	for _, g := range rs.byType {
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
		all.of = append(all.of, g.of...)
		all.bytes += g.bytes
		all.available = later(all.available, g.available)
	}
	return all
}
