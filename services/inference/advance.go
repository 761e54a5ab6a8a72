package inference

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

// advance loads the packages of s and serves them.
func (k *keeper) advance(ctx context.Context, s registry.TagState) (err error) {
	if err := k.loader.begin(ctx); err != nil {
		return err
	}
	defer k.loader.end()
	begin := time.Now()
	t := k.table.Load()
	next := &route{tag: s.Tag, generation: s.Generation, since: begin}
	if old := t.routes[s.Tag]; old != nil {
		for _, a := range old.arms {
			next.previous = append(next.previous, a.pkg)
		}
	}
	var fresh []*resident
	defer func() {
		if err != nil {
			k.retire(fresh)
		}
	}()
	for _, a := range s.Arms {
		if a.Weight <= 0 {
			continue
		}
		p := t.all[a.Package]
		if p == nil {
			if p, err = k.loader.load(ctx, a.Package); err != nil {
				return err
			}
			fresh = append(fresh, p)
		}
		next.arms = append(next.arms, arm{weight: a.Weight, pkg: p})
		next.total += a.Weight
	}
	if len(next.arms) == 0 {
		return fmt.Errorf("no arm has a weight: %w", ErrRefused)
	}
	if err := k.persist(s); err != nil {
		return err
	}
	k.publish(func(t *table) {
		t.routes[s.Tag] = next
		delete(t.wanted, s.Tag)
	})
	k.prune()
	k.cfg.Log.Info("tag served", "tag", s.Tag.String(), "generation", s.Generation, "package", next.arms[0].pkg.id.String(),
		"arms", len(next.arms), "took", time.Since(begin))
	k.met.swapped(s.Tag, s.Generation, time.Since(begin))
	return nil
}

// persist notes s on disk, unless it is there.
func (k *keeper) persist(s registry.TagState) error {
	if k.served[s.Tag].Generation >= s.Generation {
		return nil
	}
	tags := maps.Clone(k.served)
	tags[s.Tag] = s
	if err := k.loader.cache.writeState(tags); err != nil {
		return err
	}
	k.served = tags
	return nil
}

// failed notes why s is not served and when to try again.
func (k *keeper) failed(s registry.TagState, last retry, err error) {
	next := retry{generation: s.Generation, pause: k.cfg.MinRetry}
	if last.generation == s.Generation {
		next.pause = min(2*last.pause, k.cfg.MaxRetry)
	}
	next.due = time.Now().Add(next.pause)
	k.retries[s.Tag] = next
	final := errors.Is(err, ErrRefused)
	k.cfg.Log.Error("tag not moved: the old generation keeps serving", "tag", s.Tag.String(), "generation", s.Generation,
		"refused", final, "error", err, "next_try", next.pause)
	k.met.failed(s.Tag, final)
	l := lack{generation: s.Generation, refused: final, reason: reasonOf(err)}
	if k.table.Load().wanted[s.Tag] != l {
		k.publish(func(t *table) { t.wanted[s.Tag] = l })
	}
}

// reasonOf says in one word why a load failed; the log has the rest.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, cas.ErrCorrupt):
		return "corrupt"
	case errors.Is(err, registry.ErrNotFound):
		return "not_found"
	case errors.Is(err, ErrRefused):
		return "refused"
	}
	return "unavailable"
}
