package registrytest

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
)

// PutSpec implements registry.Specs.
func (m *Memory) PutSpec(_ context.Context, s registry.Spec, evs ...events.Event) (registry.Spec, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := specKey{s.Kind, s.Name}
	h := m.specs[k]
	n := int64(len(h))
	if n > 0 && h[n-1].Digest == s.Digest {
		return cloneSpec(h[n-1]), false, nil
	}
	if s.Generation != 0 && s.Generation != n+1 {
		return registry.Spec{}, false, fmt.Errorf("put %s %s: it is at generation %d: %w", s.Kind, s.Name, n, registry.ErrSpecMoved)
	}
	s = cloneSpec(s)
	s.Generation = n + 1
	m.specs[k] = append(h, s)
	m.emit(evs)
	return cloneSpec(s), true, nil
}

// Spec implements registry.Specs.
func (m *Memory) Spec(ctx context.Context, kind, name string) (registry.Spec, error) {
	h, err := m.SpecHistory(ctx, kind, name)
	if err != nil {
		return registry.Spec{}, err
	}
	return h[len(h)-1], nil
}

// SpecHistory implements registry.Specs.
func (m *Memory) SpecHistory(_ context.Context, kind, name string) ([]registry.Spec, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.specs[specKey{kind, name}]
	if len(h) == 0 {
		return nil, fmt.Errorf("%s %s: %w", kind, name, registry.ErrNotFound)
	}
	out := make([]registry.Spec, len(h))
	for i, s := range h {
		out[i] = cloneSpec(s)
	}
	return out, nil
}

// ListSpecs implements registry.Specs.
func (m *Memory) ListSpecs(_ context.Context, kind string) ([]registry.Spec, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []registry.Spec
	for k, h := range m.specs {
		if kind == "" || k.kind == kind {
			out = append(out, cloneSpec(h[len(h)-1]))
		}
	}
	slices.SortFunc(out, func(a, b registry.Spec) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return out, nil
}

func cloneSpec(s registry.Spec) registry.Spec {
	s.Body = slices.Clone(s.Body)
	return s
}
