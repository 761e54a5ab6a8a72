package training

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// maxReport bounds the body of one report, in bytes.
const maxReport = 256 << 10

// headerExecutor names the process that executes an attempt, in every report of one that was started by it.
const headerExecutor = "Signalbox-Executor"

// reporter is who reports: one executor of one attempt of one run.
type reporter struct {
	run      registry.RunID
	attempt  int
	executor string // "" where nobody starts a job twice
}

// reporterOf says who reports. A token is for one attempt of one run.
func reporterOf(r *http.Request, id registry.RunID, attempt int) (reporter, error) {
	who := auth.PrincipalFrom(r.Context())
	if who.Run != id.String() || who.Attempt != attempt {
		return reporter{}, httpapi.Fault(http.StatusForbidden, "forbidden", "this token reports on another run or attempt")
	}
	return reporter{run: id, attempt: attempt, executor: r.Header.Get(headerExecutor)}, nil
}

// admit lets pass what counts: registry.ErrRunMoved, with the run, for reports of an attempt that is over or belongs to
// another executor. The first report of an attempt may come before anybody else has seen it run, and takes it for its
// executor.
func (s *Server) admit(ctx context.Context, by reporter) (registry.Run, error) {
	run, err := s.cfg.Runs.Run(ctx, by.run)
	if err != nil {
		return run, err
	}
	if err := run.Fence(by.attempt, by.executor); err != nil {
		return run, err
	}
	switch {
	case run.State.Final(): // it answers for itself: a report may be repeated
	case by.executor != "" && run.Executor == "":
		return s.cfg.Reports.ClaimRun(ctx, by.run, by.attempt, by.executor)
	case run.State == registry.RunQueued:
		logs := map[string]string{registry.ArtifactLogs: registry.ArtifactKey(by.run, by.attempt, registry.ArtifactLogs)}
		if run, err = s.cfg.Reports.StartRun(ctx, by.run, by.attempt, logs); errors.Is(err, registry.ErrRunMoved) {
			err = run.Fence(by.attempt, by.executor) // somebody else saw it run at the same moment
		}
	}
	return run, err
}

// admitLate is admit for what says how an attempt ended, which it may still send for a while after that.
func (s *Server) admitLate(ctx context.Context, by reporter) error {
	run, err := s.admit(ctx, by)
	if !errors.Is(err, registry.ErrRunMoved) {
		return err
	}
	if run.Attempt == by.attempt && run.Executor != "" && run.Executor != by.executor {
		return err
	}
	for _, t := range run.History {
		if t.Attempt > by.attempt || t.State == registry.RunCancelled {
			if time.Since(t.At) < lastWords {
				return nil
			}
			return err
		}
	}
	return err
}

// attempted is the body of a report.
type attempted interface{ of() int }

// report reads a report whose body is JSON, and lets it pass if it counts.
func report[T attempted](s *Server, r *http.Request, id registry.RunID) (T, error) {
	body, err := httpapi.ReadJSON[T](r, maxReport)
	if err != nil {
		return body, err
	}
	by, err := reporterOf(r, id, body.of())
	if err != nil {
		return body, err
	}
	if _, err = s.admit(r.Context(), by); err != nil {
		return body, refuse(err)
	}
	return body, nil
}
