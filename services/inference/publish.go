package inference

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/signalbox-ml/signalbox/registry/cas"
)

// publish puts a changed copy of the table in its place, and has the packages that it no longer needs closed.
func (k *keeper) publish(change func(*table)) {
	k.publishing.Lock()
	defer k.publishing.Unlock()
	old := k.table.Load()
	next := old.clone()
	change(next)
	next.gather()
	k.table.Store(next)
	close(old.replaced)
	var gone []*resident
	for id, p := range old.all {
		if next.all[id] != p {
			gone = append(gone, p)
		}
	}
	k.retire(gone)
}

// retire gives back the table's references and closes each package once its last request is answered.
func (k *keeper) retire(list []*resident) {
	for _, p := range list {
		p.release()
		k.drains.Go(func() {
			<-p.idle
			if err := p.model.Close(); err != nil {
				k.cfg.Log.Warn("package not closed", "package", p.id.String(), "error", err)
				return
			}
			k.cfg.Log.Info("package unloaded", "package", p.id.String())
		})
	}
}

// shut takes everything out of service and waits for the requests under way, at most for the drain's time.
func (k *keeper) shut() {
	k.publish(func(t *table) { *t = *newTable() })
	done := make(chan struct{})
	go func() {
		defer close(done)
		k.drains.Wait()
	}()
	t := time.NewTimer(k.cfg.Drain)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
		k.cfg.Log.Warn("requests still under way: their models are left open", "waited", k.cfg.Drain)
	}
}

// prune removes packages from disk that nothing needs. The caller has the loader's turn, and is run's goroutine.
func (k *keeper) prune() {
	keep := map[cas.Digest]bool{}
	for id := range k.table.Load().all {
		keep[id] = true
	}
	for _, s := range k.served {
		for _, a := range s.Arms {
			keep[a.Package] = true
		}
	}
	k.loader.prune(keep)
}

// pin returns a package by its digest with a reference to it, loading it where no tag needs it.
func (k *keeper) pin(ctx context.Context, id cas.Digest) (*resident, error) {
	if p := k.held(id); p != nil {
		return p, nil
	}
	select {
	case k.strangers <- struct{}{}:
		defer func() { <-k.strangers }()
	default:
		return nil, errBusy
	}
	if err := k.loader.begin(ctx); err != nil {
		return nil, err
	}
	defer k.loader.end()
	if p := k.held(id); p != nil {
		return p, nil
	}
	// The caller may leave meanwhile; the next one finds the package.
	p, err := k.loader.load(context.WithoutCancel(ctx), id)
	if err != nil {
		return nil, err
	}
	p.acquire()
	p.used.Store(time.Now().UnixNano())
	k.publish(func(t *table) {
		t.pinned[id] = p
		k.unpin(t, id)
	})
	return p, nil
}

// held returns a loaded package with a reference to it, or nil.
func (k *keeper) held(id cas.Digest) *resident {
	p := k.table.Load().all[id]
	if p == nil || !p.acquire() {
		return nil
	}
	p.used.Store(time.Now().UnixNano())
	return p
}

// unpin lets go of the packages by digest that were not asked for longest, but not of except.
func (k *keeper) unpin(t *table, except cas.Digest) {
	list := slices.SortedFunc(maps.Values(t.pinned), func(a, b *resident) int { return cmp.Compare(a.used.Load(), b.used.Load()) })
	for _, p := range list {
		if len(t.pinned) <= k.cfg.MaxPinned {
			return
		}
		if p.id != except {
			delete(t.pinned, p.id)
		}
	}
}

// refreshPolicies asks what the specs say now about the models that are served. A policy stays where nobody answers.
func (k *keeper) refreshPolicies(ctx context.Context) {
	for id, p := range k.table.Load().all {
		f, err := k.cfg.Source.PackageFiles(ctx, id)
		if err != nil {
			k.cfg.Log.Warn("policy not refreshed", "package", id.String(), "error", err)
			continue
		}
		if p.logInputs.Swap(f.Policy.LogInputs) == f.Policy.LogInputs {
			continue
		}
		k.cfg.Log.Info("policy changed", "package", id.String(), "log_inputs", f.Policy.LogInputs)
		if err := k.loader.cache.describe(id, about{Model: f.Model, Policy: f.Policy}); err != nil {
			k.cfg.Log.Warn("policy not noted", "package", id.String(), "error", err)
		}
	}
}
