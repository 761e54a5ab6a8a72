package training

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// metricsFile is the artifact in which a job leaves what it measured.
const metricsFile = registry.MetricsFile

// maxFigures bounds what is read of one document of figures, in bytes.
const maxFigures = 1 << 20

// figures is what was measured of an attempt.
type figures struct {
	RunID   registry.RunID `json:"run_id"`
	Attempt int            `json:"attempt"`
	Steps   []step         `json:"steps"` // in order, as far as they have ended
	// Metrics are the workflow's own, and Process is memory and time of the job: both once it has ended.
	Metrics json.RawMessage `json:"metrics,omitempty"`
	Process json.RawMessage `json:"process,omitempty"`
	// Series are what the workflow measured on its way, by name.
	Series map[string][]point `json:"series"`
}

// metrics answers with what was measured of an attempt. With Accept: text/event-stream it follows the series.
func (s *Server) metrics(w http.ResponseWriter, r *http.Request) error {
	run, err := s.find(r)
	if err != nil {
		return err
	}
	attempt, err := attemptOf(r, run)
	if err != nil {
		return err
	}
	if strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
		return s.followSeries(w, r, liveLog{bucket: s.cfg.Bucket, run: run.ID, attempt: max(attempt, 1)})
	}
	out := figures{RunID: run.ID, Attempt: attempt, Steps: []step{}}
	for _, name := range train.Steps() {
		var st step
		err := s.document(r.Context(), stepKey(run.ID, attempt, name), &st)
		if errors.Is(err, bucket.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		out.Steps = append(out.Steps, st)
	}
	// What a run left is of the attempt that ended it.
	if key := run.Artifacts[metricsFile]; strings.HasPrefix(key, registry.AttemptPrefix(run.ID, attempt)) {
		var left struct {
			Metrics json.RawMessage `json:"metrics"`
			Process json.RawMessage `json:"process"`
		}
		if err := s.document(r.Context(), key, &left); err != nil && !errors.Is(err, bucket.ErrNotFound) {
			return err
		}
		out.Metrics, out.Process = left.Metrics, left.Process
	}
	if out.Series, err = s.series(r.Context(), run.ID, attempt); err != nil {
		return err
	}
	return httpapi.JSON(w, http.StatusOK, out)
}

// document reads a small JSON object of the bucket.
func (s *Server) document(ctx context.Context, key string, v any) error {
	b, err := s.object(ctx, key, maxFigures)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	return nil
}
