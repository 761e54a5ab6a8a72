package training

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// step is what is known of one step of an attempt.
type step struct {
	Step    string             `json:"step"`
	Seconds float64            `json:"seconds"`
	Metrics map[string]float64 `json:"metrics,omitempty"`
}

// progress says that a step has begun or ended.
type progress struct {
	Attempt int                `json:"attempt"`
	Step    string             `json:"step"`
	Seconds *float64           `json:"seconds"` // once the step has ended
	Metrics map[string]float64 `json:"metrics"`
}

func (p progress) of() int { return p.Attempt }

func (s *Server) progress(w http.ResponseWriter, r *http.Request, id registry.RunID) error {
	body, err := report[progress](s, r, id)
	if err != nil {
		return err
	}
	if !slices.Contains(train.Steps(), body.Step) {
		return refuse(&manifest.Fault{Path: "/step", Problem: "want one of " + strings.Join(train.Steps(), ", ")})
	}
	if body.Seconds != nil {
		if err := s.keepStep(r.Context(), id, body.Attempt, step{Step: body.Step, Seconds: *body.Seconds, Metrics: body.Metrics}); err != nil {
			return err
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// keepStep writes the figures of a step down; the first report of a step stands.
func (s *Server) keepStep(ctx context.Context, id registry.RunID, attempt int, st step) error {
	b, err := json.Marshal(st)
	if err != nil {
		return err
	}
	_, err = s.cfg.Bucket.Put(ctx, stepKey(id, attempt, st.Step), bytes.NewReader(b), int64(len(b)),
		bucket.PutOptions{CreateOnly: true, ContentType: "application/json"})
	if errors.Is(err, bucket.ErrExists) {
		return nil
	}
	return err
}

func stepKey(id registry.RunID, attempt int, name string) string {
	return registry.AttemptPrefix(id, attempt) + train.StepDir + "/" + name
}

// artifacts are files that an attempt is about to leave.
type artifacts struct {
	Attempt   int                 `json:"attempt"`
	Artifacts []registry.Artifact `json:"artifacts"`
}

func (a artifacts) of() int { return a.Attempt }

func (s *Server) artifacts(w http.ResponseWriter, r *http.Request) error {
	id, err := runOf(r)
	if err != nil {
		return err
	}
	body, err := report[artifacts](s, r, id)
	if err != nil {
		return err
	}
	for i, a := range body.Artifacts {
		if a.Name == registry.ArtifactLogs || strings.HasSuffix(a.Name, ".d") {
			at := "/artifacts/" + strconv.Itoa(i) + "/name"
			return refuse(&manifest.Fault{Path: at, Problem: fmt.Sprintf("%.100q is taken by the log and the steps of every run", a.Name)})
		}
	}
	signed, err := s.cfg.Reports.SignArtifacts(r.Context(), id, body.Attempt, body.Artifacts)
	if err != nil {
		return refuse(err)
	}
	return httpapi.JSON(w, http.StatusOK, map[string]any{"artifacts": signed})
}
