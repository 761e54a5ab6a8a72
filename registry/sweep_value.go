package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/signalbox-ml/signalbox/registry/bucket"
)

// ReadMetric returns what a run's attempt has measured of one figure, in order: its series or, where there is none and the
// attempt says something at its end, one point without a step. That is the score step's figure, or else the workflow's own.
// have is what was read of the attempt's series before, and is brought up to date; nil for nothing.
func ReadMetric(ctx context.Context, b bucket.Bucket, run Run, metric string, have *Series) ([]Point, error) {
	if run.Attempt == 0 {
		return nil, nil
	}
	if have == nil {
		have = &Series{}
	}
	if err := have.Read(ctx, b, run.ID, run.Attempt); err != nil {
		return nil, err
	}
	if points := have.Points()[metric]; len(points) > 0 || run.State != RunComplete {
		return points, nil
	}
	prefix := AttemptPrefix(run.ID, run.Attempt)
	keys := []string{prefix + StepDir + "/score"}
	if key := run.Artifacts[MetricsFile]; strings.HasPrefix(key, prefix) {
		keys = append(keys, key)
	}
	for _, key := range keys {
		v, ok, err := readFigure(ctx, b, key, metric)
		if err != nil {
			return nil, err
		}
		if ok {
			return []Point{{Value: v, At: run.Updated}}, nil
		}
	}
	return nil, nil
}

// readFigure reads one of the figures of a document that has them as metrics.
func readFigure(ctx context.Context, b bucket.Bucket, key, metric string) (v float64, ok bool, err error) {
	body, err := readFigures(ctx, b, key)
	if errors.Is(err, bucket.ErrNotFound) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("read %s: %w", key, err)
	}
	var doc struct {
		Metrics map[string]json.RawMessage `json:"metrics"`
	}
	// A workflow may leave what it likes: what is no number is no figure.
	if json.Unmarshal(body, &doc) != nil || len(doc.Metrics[metric]) == 0 || string(doc.Metrics[metric]) == "null" {
		return 0, false, nil //nolint:nilerr // see above
	}
	return v, json.Unmarshal(doc.Metrics[metric], &v) == nil, nil
}
