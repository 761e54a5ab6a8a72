package training

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

const (
	defaultListed = 100
	maxListed     = 1000
)

func states() []string {
	return []string{
		string(registry.RunRequested), string(registry.RunQueued), string(registry.RunRunning),
		string(registry.RunComplete), string(registry.RunFailed), string(registry.RunCancelled),
	}
}

// list answers with one page of the runs that a query selects. A misspelt parameter must not list everything.
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

// page cuts a list that was asked for with one more than limit, and says where the next page begins, "" where none does.
func page[T interface{ Cursor() registry.RunCursor }](found []T, limit int) (cut []T, next string) {
	if len(found) <= limit {
		return found, ""
	}
	return found[:limit], found[limit-1].Cursor().String()
}

// filter reads the query of a list.
func (s *Server) filter(r *http.Request) (registry.RunFilter, error) {
	var fs manifest.FaultList
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return registry.RunFilter{}, badQuery("the query is malformed: percent-encode its values")
	}
	known := []string{"model", "state", "project", "owner", "trainer", "workflow", "dataset", "package", "sweep", "since", "until", "cursor", "limit"}
	for name, values := range q {
		if !httpapi.Storable(name) || !httpapi.Storable(strings.Join(values, "")) {
			return registry.RunFilter{}, httpapi.BadText()
		}
		fs.Check(slices.Contains(known, name), "", "unknown parameter %.60q: want one of %s", name, strings.Join(known, ", "))
		fs.Check(len(values) == 1 || name == "state", "", "%.60s is there twice", name)
	}
	f := registry.RunFilter{
		Model: registry.ModelName(q.Get("model")), Project: q.Get("project"), Owner: q.Get("owner"), Trainer: q.Get("trainer"),
		Dataset: digestOf(&fs, q, "dataset"), Package: digestOf(&fs, q, "package"),
		Since: timeOf(&fs, q, "since"), Until: timeOf(&fs, q, "until"), Limit: defaultListed,
	}
	if q.Has("model") {
		_, err := registry.ParseModelName(q.Get("model"))
		fs.Err("model", err)
	}
	for _, state := range strings.Split(strings.Join(q["state"], ","), ",") {
		if state != "" && oneOf(&fs, "state", state, states()) && !slices.Contains(f.States, registry.RunState(state)) {
			f.States = append(f.States, registry.RunState(state))
		}
	}
	if q.Has("sweep") {
		f.Sweep, err = registry.ParseSweepID(q.Get("sweep"))
		fs.Err("sweep", err)
	}
	if q.Has("cursor") {
		f.After, err = registry.ParseRunCursor(q.Get("cursor"))
		fs.Err("cursor", err)
	}
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		fs.Check(err == nil && n >= 1 && n <= maxListed, "limit", "%.20q: want 1 to %d", text, maxListed)
		f.Limit = n
	}
	if err := fs.Join(); err != nil {
		return registry.RunFilter{}, badQuery(strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	f.Workflows, err = s.called(r.Context(), q.Get("workflow"))
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

func badQuery(detail string) error { return httpapi.Fault(http.StatusBadRequest, "bad_query", detail) }

// digestOf reads a digest of a query, zero where it is not there.
func digestOf(fs *manifest.FaultList, q url.Values, name string) cas.Digest {
	if !q.Has(name) {
		return cas.Digest{}
	}
	d, err := cas.Parse(q.Get(name))
	fs.Err(name, err)
	return d
}

// timeOf reads a time of a query, zero where it is not there.
func timeOf(fs *manifest.FaultList, q url.Values, name string) time.Time {
	if !q.Has(name) {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, q.Get(name))
	fs.Check(err == nil, name, "want a time such as 2026-01-02T15:04:05Z, with + written %%2B")
	return t
}
