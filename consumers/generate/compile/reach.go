package compile

import (
	"time"

	"github.com/signalbox-ml/signalbox/registry/spec"
)

// Range is event time, [From, To). A zero From is the beginning of time.
type Range struct {
	From, To time.Time
}

// Overlaps reports whether the range has a moment of [from, to], both ends included.
func (r Range) Overlaps(from, to time.Time) bool { return from.Before(r.To) && !to.Before(r.From) }

// union covers both.
func (r Range) union(o Range) Range {
	if o.From.Before(r.From) {
		r.From = o.From
	}
	if o.To.After(r.To) {
		r.To = o.To
	}
	return r
}

// Reach returns which event times of which sources can show in a dataset over w. A source that is missing is not used.
func Reach(d spec.Dataset, w Window) map[string]Range {
	out := map[string]Range{}
	add := func(source string, r Range) {
		if have, ok := out[source]; ok {
			r = r.union(have)
		}
		out[source] = r
	}
	add(d.Spine.From, Range{w.Start, w.End})
	for _, f := range d.Features {
		r := Range{To: w.End}
		if f.MaxAge > 0 {
			r.From = w.Start.Add(-f.MaxAge.D())
		}
		add(f.From, r)
	}
	add(d.Label.From, Range{w.Start, Horizon(d, w)})
	return out
}

// Horizon is the availability from which on nothing can show in a dataset over w. Once the archive is complete up to
// it, the dataset is settled: a later build over more files has the same rows.
func Horizon(d spec.Dataset, w Window) time.Time {
	return w.End.Add(d.Label.Maturity.D())
}
