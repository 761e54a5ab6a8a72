package training

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// metricsFile is the artifact in which a job leaves what it measured.
const metricsFile = "metrics.json"

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
}

func (s *Server) metrics(w http.ResponseWriter, r *http.Request) error {
	run, err := s.find(r)
	if err != nil {
		return err
	}
	out := figures{RunID: run.ID, Attempt: run.Attempt, Steps: []step{}}
	for _, name := range train.Steps() {
		var st step
		err := s.document(r.Context(), stepKey(run.ID, run.Attempt, name), &st)
		if errors.Is(err, bucket.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		out.Steps = append(out.Steps, st)
	}
	if key := run.Artifacts[metricsFile]; key != "" {
		var left struct {
			Metrics json.RawMessage `json:"metrics"`
			Process json.RawMessage `json:"process"`
		}
		if err := s.document(r.Context(), key, &left); err != nil && !errors.Is(err, bucket.ErrNotFound) {
			return err
		}
		out.Metrics, out.Process = left.Metrics, left.Process
	}
	return httpapi.JSON(w, http.StatusOK, out)
}

// document reads a small JSON object of the bucket.
func (s *Server) document(ctx context.Context, key string, v any) error {
	body, _, err := s.cfg.Bucket.Get(ctx, key, bucket.Range{})
	if err != nil {
		return err
	}
	defer body.Close()
	b, err := io.ReadAll(io.LimitReader(body, maxFigures))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	return nil
}
