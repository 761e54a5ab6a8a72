package conform

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/streams"
)

// historyTimeout bounds the reading of one stream's generations.
const historyTimeout = 10 * time.Second

// history knows what streams declared at any time. It is safe for concurrent use.
type history struct {
	specs specs
	skew  time.Duration
	mu    sync.Mutex
	known map[string][]generation // by stream, oldest first
}

// generation is what a stream declared from a time on.
type generation struct {
	number  int64
	applied time.Time
	table   func() *streams.Table // compiled when it is first asked for
}

func newHistory(cfg Config) *history {
	return &history{specs: cfg.Specs, skew: cfg.Skew, known: map[string][]generation{}}
}

// judge holds an event against what its stream, whose newest spec is given, declared when the event was appended. The clocks
// leave open which of several generations that was: one that has nothing against the event is enough.
func (h *history) judge(ctx context.Context, newest registry.Spec, ev events.Event, at events.Place) (verdict, error) {
	all, err := h.of(ctx, newest)
	if err != nil {
		return verdict{}, err
	}
	from, to := at.AppendTime.Add(-h.skew), at.AppendTime.Add(h.skew)
	var latest verdict
	for _, g := range slices.Backward(all) {
		if g.applied.After(to) {
			continue
		}
		v := judge(g.table(), ev, at.Topic)
		if v.reason == "" {
			break
		}
		if latest.reason == "" {
			latest = v
		}
		if !g.applied.After(from) {
			return latest, nil
		}
	}
	return verdict{outcome: superseded}, nil
}

// of returns the generations of a stream, the newest of which is at least the given one. All who wait share one reading.
func (h *history) of(ctx context.Context, newest registry.Spec) ([]generation, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	known := h.known[newest.Name]
	if n := len(known); n > 0 && known[n-1].number >= newest.Generation {
		return known, nil
	}
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	list, err := h.specs.SpecHistory(ctx, newest.Kind, newest.Name)
	if err != nil {
		return nil, fmt.Errorf("what %s declared before: %w", newest.Name, err)
	}
	for _, s := range list {
		if n := len(known); n == 0 || known[n-1].number < s.Generation {
			table := sync.OnceValue(func() *streams.Table { return streams.Of(s) })
			known = append(known, generation{number: s.Generation, applied: s.Updated, table: table})
		}
	}
	h.known[newest.Name] = known
	return known, nil
}
