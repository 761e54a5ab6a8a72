package training

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// executorName is what a header can carry and a person can read.
var executorName = regexp.MustCompile(`^[!-~]{1,128}$`)

// start gives an attempt to the first executor that asks for it. A cluster may start a job twice: the other one hears that
// it is too late, and leaves nothing.
func (s *Server) start(w http.ResponseWriter, r *http.Request, id registry.RunID) error {
	body, err := httpapi.ReadJSON[struct {
		Attempt  int    `json:"attempt"`
		Executor string `json:"executor"`
	}](r, maxReport)
	if err != nil {
		return err
	}
	if _, err := reporterOf(r, id, body.Attempt); err != nil {
		return err
	}
	if !executorName.MatchString(body.Executor) {
		return refuse(&manifest.Fault{Path: "/executor", Problem: "want 1 to 128 visible ASCII characters, such as a UUID"})
	}
	run, err := s.cfg.Reports.ClaimRun(r.Context(), id, body.Attempt, body.Executor)
	if err != nil {
		return refuse(err)
	}
	return answer(w, http.StatusOK, run)
}

// completion ends a run with its package.
type completion struct {
	Attempt   int               `json:"attempt"`
	Package   cas.Digest        `json:"package"`
	Artifacts map[string]string `json:"artifacts"`
}

func (c completion) of() int { return c.Attempt }

func (s *Server) complete(w http.ResponseWriter, r *http.Request, id registry.RunID) error {
	body, err := report[completion](s, r, id)
	if err != nil {
		return err
	}
	run, err := s.cfg.Reports.CompleteRun(r.Context(), id, body.Attempt, body.Package, body.Artifacts)
	if err != nil {
		return refuse(err)
	}
	return answer(w, http.StatusOK, run)
}

// failure ends an attempt with what went wrong.
type failure struct {
	Attempt   int               `json:"attempt"`
	Exception events.Exception  `json:"exception"`
	Artifacts map[string]string `json:"artifacts"`
}

// fail ends the attempt: for good, or with another one behind it where the job thinks that this may help.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, id registry.RunID) error {
	body, err := httpapi.ReadJSON[failure](r, maxReport)
	if err != nil {
		return err
	}
	by, err := reporterOf(r, id, body.Attempt)
	if err != nil {
		return err
	}
	run, err := s.cfg.Runs.Run(r.Context(), id)
	if err != nil {
		return err
	}
	if run.Attempt == by.attempt { // the repeat of a report that gave the attempt up answers as that did
		if err := run.Fence(by.attempt, by.executor); err != nil {
			return refuse(err)
		}
	}
	if body.Exception.Type == "" {
		return refuse(&manifest.Fault{Path: "/exception/type", Problem: "is missing"})
	}
	if body.Exception.Retryable && body.Attempt < s.cfg.MaxAttempts {
		first, _, _ := strings.Cut(body.Exception.Message, "\n")
		run, err = s.cfg.Reports.RetryRun(r.Context(), id, body.Attempt, "", body.Exception.Type+": "+first)
	} else {
		run, err = s.cfg.Reports.FailRun(r.Context(), id, body.Attempt, body.Exception, body.Artifacts)
	}
	if err != nil {
		return refuse(err)
	}
	return answer(w, http.StatusOK, run)
}
