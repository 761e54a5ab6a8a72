package inference

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// Served is what a server says of one tag.
type Served struct {
	Tag        string      `json:"tag"`        // <model>/<name>
	Generation int64       `json:"generation"` // that is served; 0: none
	Arms       []ServedArm `json:"arms"`
	Since      *time.Time  `json:"since,omitempty"` // when the generation took over here
	// Wanted is a newer generation that is not served, and Reason why: loading, unavailable, corrupt, not_found, refused.
	Wanted int64  `json:"wanted,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// ServedArm is a loaded package with its share of the tag's requests.
type ServedArm struct {
	Package  cas.Digest `json:"package"`
	Weight   int        `json:"weight"` // of 10000
	Runtime  string     `json:"runtime"`
	LoadedAt time.Time  `json:"loaded_at"`
}

// Models says what is served, by the names of the tags.
func (s *Server) Models() []Served {
	t := s.keeper.table.Load()
	tags := slices.AppendSeq(slices.Collect(maps.Keys(t.routes)), maps.Keys(t.wanted))
	slices.SortFunc(tags, func(a, b registry.Tag) int { return cmp.Compare(a.String(), b.String()) })
	out := []Served{}
	for _, tag := range slices.Compact(tags) {
		m := Served{Tag: tag.String(), Arms: []ServedArm{}}
		if r := t.routes[tag]; r != nil {
			m.Generation, m.Since = r.generation, &r.since
			for _, a := range r.arms {
				m.Arms = append(m.Arms, ServedArm{Package: a.pkg.id, Weight: a.weight, Runtime: a.pkg.sig.Runtime, LoadedAt: a.pkg.loaded})
			}
		}
		if l, ok := t.wanted[tag]; ok {
			m.Wanted, m.Reason = l.generation, l.reason
		}
		out = append(out, m)
	}
	return out
}

func (s *Server) models(w http.ResponseWriter, _ *http.Request) error {
	return httpapi.JSON(w, http.StatusOK, struct {
		Ready  bool     `json:"ready"`
		Models []Served `json:"models"`
	}{s.Ready(), s.Models()})
}

// measure counts an answer.
func (s *Server) measure(ctx context.Context, a *asked, sc *scratch) {
	label := metric.WithAttributes(attribute.String("signalbox.model", string(a.pkg.about.Model)))
	s.met.rows.Add(ctx, int64(sc.rows.Rows), label)
	if n := sc.rows.Unknown; n > 0 {
		s.met.unknown.Add(ctx, int64(n), label)
	}
	if n := sc.rows.Ignored; n > 0 {
		s.met.ignored.Add(ctx, int64(n), label)
	}
}
