package inference

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
)

// keeper keeps the table at the newest known tags.
type keeper struct {
	cfg    Config
	loader *Loader
	met    metrics
	table  atomic.Pointer[table]

	served  map[registry.Tag]registry.TagState // as on disk; only run's goroutine
	retries map[registry.Tag]retry             // only run's goroutine

	publishing sync.Mutex
	drains     sync.WaitGroup
	strangers  chan struct{} // a token for each request that waits for a package by digest
}

// retry is when to try a generation again.
type retry struct {
	generation int64
	pause      time.Duration
	due        time.Time
}

func newKeeper(cfg Config, l *Loader, met metrics) *keeper {
	const strangers = 8
	k := &keeper{
		cfg: cfg, loader: l, met: met, strangers: make(chan struct{}, strangers),
		served: map[registry.Tag]registry.TagState{}, retries: map[registry.Tag]retry{},
	}
	k.table.Store(newTable())
	return k
}

// run restores what was served last and follows the tags until ctx ends.
func (k *keeper) run(ctx context.Context) error {
	last, err := k.loader.cache.readState()
	if err != nil {
		return err
	}
	for _, s := range last {
		k.served[s.Tag] = s
	}
	k.follow(ctx, last)
	if len(last) > 0 {
		k.publish(func(t *table) { t.known = true })
	}
	policies := time.NewTicker(max(k.cfg.PolicyEvery, time.Second))
	defer policies.Stop()
	for {
		again := time.NewTimer(k.reconcile(ctx))
		select {
		case <-ctx.Done():
			again.Stop()
			k.shut()
			return nil
		case <-k.cfg.Tags.Changed():
		case <-again.C:
		case <-policies.C:
			k.refreshPolicies(ctx)
		}
		again.Stop()
	}
}

// reconcile brings every tag up to its newest known generation, and returns when to try again what failed.
func (k *keeper) reconcile(ctx context.Context) time.Duration {
	view := k.cfg.Tags.View()
	newest := maps.Clone(k.served)
	for _, s := range view.Tags {
		if s.Generation > newest[s.Tag].Generation {
			newest[s.Tag] = s
		}
	}
	wanted := slices.SortedFunc(maps.Values(newest), func(a, b registry.TagState) int { return cmp.Compare(a.Tag.String(), b.Tag.String()) })
	k.follow(ctx, wanted)
	if view.Complete && !k.table.Load().known {
		k.publish(func(t *table) { t.known = true })
	}
	next := time.Hour
	for _, r := range k.retries {
		next = min(next, time.Until(r.due))
	}
	return max(next, 0)
}

// follow advances each tag that is behind, one after the other.
func (k *keeper) follow(ctx context.Context, wanted []registry.TagState) {
	for _, s := range wanted {
		if ctx.Err() != nil {
			return
		}
		r := k.table.Load().routes[s.Tag]
		if r != nil && r.generation >= s.Generation {
			continue
		}
		last := k.retries[s.Tag]
		if last.generation == s.Generation && time.Until(last.due) > 0 {
			continue
		}
		if _, noted := k.table.Load().wanted[s.Tag]; r == nil && !noted {
			k.publish(func(t *table) { t.wanted[s.Tag] = lack{generation: s.Generation, reason: "loading"} })
		}
		err := k.advance(ctx, s)
		if err == nil {
			delete(k.retries, s.Tag)
			continue
		}
		if ctx.Err() != nil {
			return
		}
		k.failed(s, last, err)
		if floor := k.served[s.Tag]; r == nil && floor.Generation > 0 && floor.Generation < s.Generation {
			// The newest cannot be had: what was served before the restart is better than nothing.
			if err := k.advance(ctx, floor); err != nil {
				k.cfg.Log.Error("last served generation not loaded", "tag", s.Tag.String(), "generation", floor.Generation, "error", err)
			}
		}
	}
}
