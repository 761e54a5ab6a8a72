package training

import (
	"context"
	"errors"
	"net/http"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// list answers with one page of the runs that a query selects, newest first.
func (s *Server) list(w http.ResponseWriter, r *http.Request) error {
	f, err := s.filter(r)
	if err != nil {
		return err
	}
	limit := f.Limit
	f.Limit++ // one more says whether there is a next page
	found, err := s.cfg.Runs.Runs(r.Context(), f)
	if err != nil {
		return err
	}
	out := struct {
		Runs []registry.Run `json:"runs"`
		Next string         `json:"next,omitempty"`
	}{Runs: []registry.Run{}}
	found, out.Next = page(found, limit)
	out.Runs = append(out.Runs, found...)
	return httpapi.JSON(w, http.StatusOK, out)
}

// filter reads the query of a list.
func (s *Server) filter(r *http.Request) (registry.RunFilter, error) {
	q, err := readQuery(r, "model", "state", "project", "owner", "trainer", "workflow", "dataset", "package", "sweep", "since", "until", "cursor", "limit")
	if err != nil {
		return registry.RunFilter{}, err
	}
	f := registry.RunFilter{
		Model: q.model(), Project: q.text("project"), Owner: q.text("owner"), Trainer: q.text("trainer"),
		Dataset: q.digest("dataset"), Package: q.digest("package"), Sweep: parameter(q, "sweep", registry.ParseSweepID),
		States: states(q, registry.RunRequested, registry.RunQueued, registry.RunRunning, registry.RunComplete, registry.RunFailed, registry.RunCancelled),
		Since:  q.time("since"), Until: q.time("until"), After: q.cursor(), Limit: q.limit(),
	}
	if err := q.err(); err != nil {
		return registry.RunFilter{}, err
	}
	f.Workflows, err = s.called(r.Context(), q.text("workflow"))
	return f, err
}

// called are the ways in which requests name a workflow: its name, and the class of its entrypoint.
func (s *Server) called(ctx context.Context, name string) ([]string, error) {
	if name == "" {
		return nil, nil
	}
	stored, w, err := s.cfg.Declared.FindWorkflow(ctx, name)
	switch {
	case errors.Is(err, registry.ErrNotFound), errors.Is(err, registry.ErrInvalid):
		return []string{name}, nil // it may have been another one's, earlier
	case err != nil:
		return nil, err
	}
	return []string{name, stored.Name, w.Class()}, nil
}
