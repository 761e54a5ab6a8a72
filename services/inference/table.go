package inference

import (
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

// route is what a tag serves: one generation.
type route struct {
	tag        registry.Tag
	generation int64
	arms       []arm
	total      int // of the weights
	since      time.Time
	// previous are the packages of the generation before, kept for a rollback.
	previous []*resident
}

type arm struct {
	weight int
	pkg    *resident
}

// pick chooses the arm for a caller. The same key always gets the same arm of a generation; without one it is chance.
func (r *route) pick(key string) *resident {
	if len(r.arms) == 1 {
		return r.arms[0].pkg
	}
	var at int
	if key == "" {
		at = rand.IntN(r.total)
	} else {
		h := fnv.New64a()
		_, _ = h.Write([]byte(r.tag.String() + "\x00" + key))
		// The low bits of FNV are weak for short keys: mix before taking the remainder.
		x := h.Sum64()
		x ^= x >> 33
		x *= 0xff51afd7ed558ccd
		x ^= x >> 33
		at = int(x % uint64(r.total))
	}
	for _, a := range r.arms {
		if at -= a.weight; at < 0 {
			return a.pkg
		}
	}
	return r.arms[len(r.arms)-1].pkg
}

// table is everything that requests look up. It never changes: a new one takes its place.
type table struct {
	routes map[registry.Tag]*route
	// wanted are tags whose newest generation is not served, with the reason.
	wanted map[registry.Tag]lack
	pinned map[cas.Digest]*resident
	// all are the packages that anything here needs.
	all map[cas.Digest]*resident
	// known says that a tag which is not here does not exist.
	known bool
	// replaced is closed when another table has taken this one's place.
	replaced chan struct{}
}

// lack says why a generation is not served.
type lack struct {
	generation int64
	refused    bool // else it is still being tried
	reason     string
}

func newTable() *table {
	return &table{
		routes: map[registry.Tag]*route{}, wanted: map[registry.Tag]lack{}, pinned: map[cas.Digest]*resident{},
		replaced: make(chan struct{}),
	}
}

// clone returns a table to change before it is published.
func (t *table) clone() *table {
	return &table{
		routes: maps.Clone(t.routes), wanted: maps.Clone(t.wanted), pinned: maps.Clone(t.pinned),
		known: t.known, replaced: make(chan struct{}),
	}
}

// gather fills in all.
func (t *table) gather() {
	t.all = maps.Clone(t.pinned)
	for _, r := range t.routes {
		for _, a := range r.arms {
			t.all[a.pkg.id] = a.pkg
		}
		for _, p := range r.previous {
			t.all[p.id] = p
		}
	}
}

// ready reports whether every tag is served, or refused.
func (t *table) ready() bool {
	if !t.known {
		return false
	}
	for tag, l := range t.wanted {
		if _, served := t.routes[tag]; !served && !l.refused {
			return false
		}
	}
	return true
}
