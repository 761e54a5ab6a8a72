package generate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// errBuilt reports a window that somebody else built meanwhile.
var errBuilt = errors.New("window is built")

// progress is what Run remembers of a spec; all of it can be found again.
type progress struct {
	digest    cas.Digest
	failures  int
	notBefore time.Time
	settled   map[int64]bool // windows that are built or empty
}

func (g *Generator) progressOf(s registry.Spec) *progress {
	p, ok := g.progress[s.Name]
	if !ok || p.digest != s.Digest {
		p = &progress{digest: s.Digest, settled: map[int64]bool{}}
		g.progress[s.Name] = p
	}
	return p
}

// advance builds the due windows of a spec, oldest first.
func (g *Generator) advance(ctx, work context.Context, s registry.Spec, p *progress) error {
	d, err := decode(s)
	if err != nil {
		return err
	}
	mark, err := g.watermark(work, d)
	if err != nil {
		return err
	}
	last := due(d, mark)
	g.cfg.Log.DebugContext(work, "windows settled", "dataset", s.Name, "windows", last, "watermark", mark)
	var files snapshot
	for k := int64(1); k <= last && ctx.Err() == nil; k++ {
		if p.settled[k] {
			continue
		}
		if files == nil {
			if files, err = g.snapshot(work, d); err != nil {
				return err
			}
		}
		w := window(d, k)
		if err := g.settle(work, job{s, d, w, files.window(d, w), mark}, k == last); err != nil {
			return fmt.Errorf("window to %s: %w", w.End.Format(time.RFC3339), err)
		}
		p.settled[k] = true
	}
	return nil
}

// settle builds a window unless that is done, or there is nothing to build it from.
func (g *Generator) settle(ctx context.Context, j job, last bool) (err error) {
	if len(j.files[j.d.Spine.From]) == 0 {
		return nil
	}
	done, err := g.isBuilt(ctx, j, last)
	if err != nil || done {
		return err
	}
	started := time.Now()
	log := g.cfg.Log.With("dataset", j.spec.Name, "window_end", j.w.End)
	ctx, span := g.causes.trace(ctx, j.spec.Name, j.w.End)
	defer func() { g.ended(ctx, span, j.spec.Name, started, err) }()
	b, err := g.run(ctx, j, func(ctx context.Context, m manifest.Dataset) (registry.Dataset, bool, error) {
		// Another instance may have been faster, perhaps over more files: a window has one dataset.
		if done, err := g.isBuilt(ctx, j, last); err != nil || done {
			if err == nil {
				err = errBuilt
			}
			return registry.Dataset{}, false, err
		}
		return g.cfg.Publish(ctx, m)
	})
	for field, n := range b.Checks.CastFailures {
		log.WarnContext(ctx, "values without the declared type became null", "field", field, "values", n)
	}
	switch {
	case errors.Is(err, ErrNoRows):
		log.InfoContext(ctx, "window without labelled rows: no dataset", "spine_rows", b.Checks.SpineRows)
		return nil
	case errors.Is(err, errBuilt):
		return nil
	case err != nil:
		return err
	}
	log.InfoContext(ctx, "dataset built", "id", b.Dataset.ID, "rows", b.Checks.Rows, "label_coverage", b.Checks.LabelCoverage(),
		"files", len(b.Manifest.Sources), "seconds", time.Since(started).Seconds())
	return nil
}

// isBuilt reports whether the window has its dataset. One of an older spec counts too, but for the newest window.
func (g *Generator) isBuilt(ctx context.Context, j job, last bool) (bool, error) {
	built, err := g.cfg.Datasets.ListDatasets(ctx, registry.DatasetFilter{Name: j.spec.Name, Limit: 1 << 20})
	if err != nil {
		return false, fmt.Errorf("list datasets: %w", err)
	}
	for _, b := range built {
		same := b.Spec == j.spec.Digest && b.Start.Equal(j.w.Start) // one with another start was asked for by hand
		older := b.Spec != j.spec.Digest && !last
		if b.End.Equal(j.w.End) && (same || older) {
			return true, nil
		}
	}
	return false, nil
}
