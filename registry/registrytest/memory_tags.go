package registrytest

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
)

// MoveTag implements registry.Tags.
func (m *Memory) MoveTag(_ context.Context, v registry.TagMove, evs ...events.Event) (registry.TagState, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s, ok := m.ops[tagOp{v.Tag, v.Op}]; ok && v.Op != "" {
		return cloneTag(s), nil
	}
	var now registry.TagState
	if h := m.tags[v.Tag]; len(h) > 0 {
		now = h[len(h)-1]
	}
	if now.Generation != v.Expect {
		return cloneTag(now), fmt.Errorf("tag %s is at generation %d: %w", v.Tag, now.Generation, registry.ErrTagMoved)
	}
	next := cloneTag(registry.TagState{
		Tag: v.Tag, Arms: v.Arms, Generation: now.Generation + 1, Previous: now.Arms,
		Actor: v.Actor, Reason: v.Reason, Evidence: v.Evidence, At: v.At,
	})
	m.tags[v.Tag] = append(m.tags[v.Tag], next)
	m.ops[tagOp{v.Tag, v.Op}] = next
	m.emit(evs)
	return cloneTag(next), nil
}

// Tag implements registry.Tags.
func (m *Memory) Tag(ctx context.Context, t registry.Tag) (registry.TagState, error) {
	h, err := m.TagHistory(ctx, t)
	if err != nil {
		return registry.TagState{}, err
	}
	return h[len(h)-1], nil
}

// ListTags implements registry.Tags.
func (m *Memory) ListTags(context.Context) ([]registry.TagState, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]registry.TagState, 0, len(m.tags))
	for _, h := range m.tags {
		out = append(out, cloneTag(h[len(h)-1]))
	}
	slices.SortFunc(out, func(a, b registry.TagState) int {
		return cmp.Or(cmp.Compare(a.Tag.Model, b.Tag.Model), cmp.Compare(a.Tag.Name, b.Tag.Name))
	})
	return out, nil
}

// TagHistory implements registry.Tags.
func (m *Memory) TagHistory(_ context.Context, t registry.Tag) ([]registry.TagState, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.tags[t]
	if len(h) == 0 {
		return nil, fmt.Errorf("tag %s: %w", t, registry.ErrNotFound)
	}
	out := make([]registry.TagState, len(h))
	for i, s := range h {
		out[i] = cloneTag(s)
	}
	return out, nil
}

func cloneTag(s registry.TagState) registry.TagState {
	s.Arms, s.Previous = slices.Clone(s.Arms), slices.Clone(s.Previous)
	return s
}
