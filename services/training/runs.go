package training

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

const maxListed = 1000

func states() []string {
	return []string{
		string(registry.RunRequested), string(registry.RunQueued), string(registry.RunRunning),
		string(registry.RunComplete), string(registry.RunFailed), string(registry.RunCancelled),
	}
}

// find reads the run that the path names.
func (s *Server) find(r *http.Request) (registry.Run, error) {
	id, err := runOf(r)
	if err != nil {
		return registry.Run{}, err
	}
	return s.cfg.Runs.Run(r.Context(), id)
}

func (s *Server) get(w http.ResponseWriter, r *http.Request) error {
	run, err := s.find(r)
	if err != nil {
		return err
	}
	return httpapi.JSON(w, http.StatusOK, run)
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) error {
	var fs manifest.FaultList
	q := r.URL.Query()
	f := registry.RunFilter{Model: registry.ModelName(q.Get("model"))}
	if f.Model != "" {
		if _, err := registry.ParseModelName(string(f.Model)); err != nil {
			fs.Add("model", "%v", err)
		}
	}
	for _, state := range strings.FieldsFunc(q.Get("state"), func(r rune) bool { return r == ',' }) {
		if oneOf(&fs, "state", state, states()) && !slices.Contains(f.States, registry.RunState(state)) {
			f.States = append(f.States, registry.RunState(state))
		}
	}
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		fs.Check(err == nil && n >= 1 && n <= maxListed, "limit", "%.20q: want 1 to %d", text, maxListed)
		f.Limit = n
	}
	if err := fs.Join(); err != nil {
		return httpapi.Fault(http.StatusBadRequest, "bad_query", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	found, err := s.cfg.Runs.Runs(r.Context(), f)
	if err != nil {
		return err
	}
	if found == nil {
		found = []registry.Run{}
	}
	return httpapi.JSON(w, http.StatusOK, map[string]any{"runs": found})
}

// cancel ends a run; one that is cancelled already is a success.
func (s *Server) cancel(w http.ResponseWriter, r *http.Request, id registry.RunID) error {
	run, err := s.cfg.Runs.CancelRun(r.Context(), id, "cancelled by "+auth.PrincipalFrom(r.Context()).Name)
	if err != nil {
		return refuse(err)
	}
	return httpapi.JSON(w, http.StatusOK, run)
}
