package streams

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/schema"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// Columns returns the columns that the archive has for a topic, by CloudEvents type and then in the order of their names; nil
// where no type has any. One name is of one kind in all types. It is for reading.
func (t *Table) Columns(topic string) map[string][]schema.Column { return t.columns[topic] }

// columnsOf returns the columns of a stream's types. Where types do not agree about a kind, which nobody can declare any more,
// the first by name has the column.
func columnsOf(types map[string]*Contract) map[string][]schema.Column {
	var out map[string][]schema.Column
	kinds := map[string]schema.ColumnKind{}
	for _, typ := range slices.Sorted(maps.Keys(types)) {
		if types[typ].Schema == nil {
			continue
		}
		for _, c := range types[typ].Schema.Columns() {
			if kind, ok := kinds[c.Name]; ok && kind != c.Kind {
				continue
			}
			kinds[c.Name] = c.Kind
			if out == nil {
				out = map[string][]schema.Column{}
			}
			out[typ] = append(out[typ], c)
		}
	}
	return out
}

// generations has every spec that a stream ever had: a registry.Catalog.
type generations interface {
	Spec(ctx context.Context, kind, name string) (registry.Spec, error)
	SpecHistory(ctx context.Context, kind, name string) ([]registry.Spec, error)
}

// History knows which columns streams ever had. It is safe for concurrent use.
type History struct {
	specs generations
	mu    sync.Mutex
	known map[string]known // by stream
}

// known is what a stream had up to a generation.
type known struct {
	generation int64
	columns    []schema.Column
}

// NewHistory returns a History of what a registry.Catalog has.
func NewHistory(specs generations) *History {
	return &History{specs: specs, known: map[string]known{}}
}

// Columns returns the columns that any generation of a topic's stream has had until now, in the order of their names; none
// where the topic is no stream's. Where generations do not agree about a kind, the newest counts. It is for reading.
func (h *History) Columns(ctx context.Context, topic string) ([]schema.Column, error) {
	name := events.StreamOf(topic)
	if events.StreamTopic(name) != topic {
		return nil, nil
	}
	now, err := h.specs.Spec(ctx, spec.KindStream, name)
	if errors.Is(err, registry.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("columns of %s: %w", topic, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if k := h.known[name]; k.generation == now.Generation {
		return k.columns, nil
	}
	all, err := h.specs.SpecHistory(ctx, spec.KindStream, name)
	if err != nil {
		return nil, fmt.Errorf("columns of %s: %w", topic, err)
	}
	k := known{generation: now.Generation, columns: everOf(all)}
	h.known[name] = k
	return k.columns, nil
}

// everOf returns the columns of a stream's generations, oldest first.
func everOf(all []registry.Spec) []schema.Column {
	ever := map[string]schema.Column{}
	for _, s := range all {
		types, _ := contracts(s) // what cannot be used has no columns in any file
		own := columnsOf(types)
		for _, typ := range slices.Backward(slices.Sorted(maps.Keys(own))) {
			for _, c := range own[typ] {
				ever[c.Name] = c
			}
		}
	}
	return slices.SortedFunc(maps.Values(ever), func(a, b schema.Column) int { return cmp.Compare(a.Name, b.Name) })
}
