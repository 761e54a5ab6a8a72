package inference

import (
	"context"
	"errors"
	"fmt"

	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/services/inference/runtime"
)

// Score computes one output of a package for rows, each the JSON object of a predict request, exactly as a server would.
// output "" is the first. tolerance is how far the package's own training may differ. Packages and rows that can never be
// scored are ErrRefused.
func (l *Loader) Score(ctx context.Context, pkg cas.Digest, rows [][]byte, output string) (scores []float64, tolerance float64, err error) {
	if err := l.begin(ctx); err != nil {
		return nil, 0, err
	}
	defer l.end()
	p, err := l.load(ctx, pkg)
	if err != nil {
		return nil, 0, err
	}
	defer func() {
		if bad := p.model.Close(); bad != nil {
			l.cfg.Log.Warn("package not closed", "package", pkg.String(), "error", bad)
		}
	}()
	column, ok := p.sig.Output(output)
	if !ok {
		return nil, 0, fmt.Errorf("score %s: it has no output %q: %w", pkg, output, ErrRefused)
	}
	scores = make([]float64, 0, len(rows))
	for len(rows) > 0 {
		n := min(len(rows), 1000)
		var in runtime.Rows
		for i, row := range rows[:n] {
			if err := p.inputs.DecodeRow(row, &in); err != nil {
				return nil, 0, fmt.Errorf("score %s: row %d: %w: %w", pkg, len(scores)+i, ErrRefused, err)
			}
		}
		out, err := p.model.Predict(ctx, in.Batch)
		if errors.Is(err, runtime.ErrModel) {
			err = fmt.Errorf("%w: %w", ErrRefused, err)
		}
		if err != nil {
			return nil, 0, fmt.Errorf("score %s: %w", pkg, err)
		}
		for i := range out.Rows {
			scores = append(scores, out.Row(i)[column])
		}
		rows = rows[n:]
	}
	l.keepRecent(pkg)
	return scores, p.sig.Tolerance, nil
}

// keepRecent notes that pkg was scored, and removes from the cache what was not scored for long. The caller has the turn.
func (l *Loader) keepRecent(pkg cas.Digest) {
	const few = 8
	recent := []cas.Digest{pkg}
	for _, id := range l.recent {
		if id != pkg && len(recent) < few {
			recent = append(recent, id)
		}
	}
	l.recent = recent
	keep := map[cas.Digest]bool{}
	for _, id := range recent {
		keep[id] = true
	}
	l.prune(keep)
}
