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
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// maxReport bounds the body of one report, in bytes.
const maxReport = 256 << 10

// reporter checks that a report comes from the attempt that it is about: a token is for one attempt of one run.
func reporter(r *http.Request, id registry.RunID, attempt int) error {
	who := auth.PrincipalFrom(r.Context())
	if who.Run != id.String() || who.Attempt != attempt {
		return httpapi.Fault(http.StatusForbidden, "forbidden", "this token reports on another run or attempt")
	}
	return nil
}

// begun makes sure that the attempt counts as running: its first report may come before anybody else has seen it run.
func (s *Server) begun(ctx context.Context, id registry.RunID, attempt int) error {
	run, err := s.cfg.Runs.Run(ctx, id)
	if err != nil {
		return err
	}
	if run.Attempt == attempt && run.State == registry.RunQueued {
		logs := map[string]string{registry.ArtifactLogs: registry.ArtifactKey(id, attempt, registry.ArtifactLogs)}
		run, err = s.cfg.Reports.StartRun(ctx, id, attempt, logs)
		if err != nil && !errors.Is(err, registry.ErrRunMoved) {
			return err
		}
	}
	if run.Attempt != attempt || run.State == registry.RunCancelled {
		return refuse(registry.ErrRunMoved)
	}
	return nil // an ended run answers for itself: a report may be repeated
}

// step is what is known of one step of an attempt.
type step struct {
	Step    string             `json:"step"`
	Seconds float64            `json:"seconds"`
	Metrics map[string]float64 `json:"metrics,omitempty"`
}

func (s *Server) progress(w http.ResponseWriter, r *http.Request, id registry.RunID) error {
	body, err := httpapi.ReadJSON[struct {
		Attempt int                `json:"attempt"`
		Step    string             `json:"step"`
		Seconds *float64           `json:"seconds"` // once the step has ended
		Metrics map[string]float64 `json:"metrics"`
	}](r, maxReport)
	if err != nil {
		return err
	}
	if err := reporter(r, id, body.Attempt); err != nil {
		return err
	}
	if !slices.Contains(train.Steps(), body.Step) {
		return refuse(&manifest.Fault{Path: "/step", Problem: "want one of " + strings.Join(train.Steps(), ", ")})
	}
	if err := s.begun(r.Context(), id, body.Attempt); err != nil {
		return err
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

func (s *Server) artifacts(w http.ResponseWriter, r *http.Request) error {
	id, err := runOf(r)
	if err != nil {
		return err
	}
	body, err := httpapi.ReadJSON[struct {
		Attempt   int                 `json:"attempt"`
		Artifacts []registry.Artifact `json:"artifacts"`
	}](r, maxReport)
	if err != nil {
		return err
	}
	if err := reporter(r, id, body.Attempt); err != nil {
		return err
	}
	for i, a := range body.Artifacts {
		if a.Name == registry.ArtifactLogs || strings.HasSuffix(a.Name, ".d") {
			at := "/artifacts/" + strconv.Itoa(i) + "/name"
			return refuse(&manifest.Fault{Path: at, Problem: fmt.Sprintf("%.100q is taken by the log and the steps of every run", a.Name)})
		}
	}
	if err := s.begun(r.Context(), id, body.Attempt); err != nil {
		return err
	}
	signed, err := s.cfg.Reports.SignArtifacts(r.Context(), id, body.Attempt, body.Artifacts)
	if err != nil {
		return refuse(err)
	}
	return httpapi.JSON(w, http.StatusOK, map[string]any{"artifacts": signed})
}

func (s *Server) complete(w http.ResponseWriter, r *http.Request, id registry.RunID) error {
	body, err := httpapi.ReadJSON[struct {
		Attempt   int               `json:"attempt"`
		Package   cas.Digest        `json:"package"`
		Artifacts map[string]string `json:"artifacts"`
	}](r, maxReport)
	if err != nil {
		return err
	}
	if err := reporter(r, id, body.Attempt); err != nil {
		return err
	}
	if err := s.begun(r.Context(), id, body.Attempt); err != nil {
		return err
	}
	run, err := s.cfg.Reports.CompleteRun(r.Context(), id, body.Attempt, body.Package, body.Artifacts)
	if err != nil {
		return refuse(err)
	}
	return httpapi.JSON(w, http.StatusOK, run)
}

// fail ends the attempt: for good, or with another one behind it where the job thinks that this may help.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, id registry.RunID) error {
	body, err := httpapi.ReadJSON[struct {
		Attempt   int               `json:"attempt"`
		Exception events.Exception  `json:"exception"`
		Artifacts map[string]string `json:"artifacts"`
	}](r, maxReport)
	if err != nil {
		return err
	}
	if err := reporter(r, id, body.Attempt); err != nil {
		return err
	}
	if body.Exception.Type == "" {
		return refuse(&manifest.Fault{Path: "/exception/type", Problem: "is missing"})
	}
	var run registry.Run
	if body.Exception.Retryable && body.Attempt < s.cfg.MaxAttempts {
		first, _, _ := strings.Cut(body.Exception.Message, "\n")
		run, err = s.cfg.Reports.RetryRun(r.Context(), id, body.Attempt, body.Exception.Type+": "+first)
	} else {
		run, err = s.cfg.Reports.FailRun(r.Context(), id, body.Attempt, body.Exception, body.Artifacts)
	}
	if err != nil {
		return refuse(err)
	}
	return httpapi.JSON(w, http.StatusOK, run)
}
