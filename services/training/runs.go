package training

import (
	"errors"
	"net/http"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

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
	return answer(w, http.StatusOK, run)
}

// cancel ends a run; one that is cancelled already is a success.
func (s *Server) cancel(w http.ResponseWriter, r *http.Request, id registry.RunID) error {
	run, err := s.cfg.Runs.CancelRun(r.Context(), id, "cancelled by "+auth.PrincipalFrom(r.Context()).Name)
	if err != nil {
		return refuse(err)
	}
	return answer(w, http.StatusOK, run)
}

// retry runs a run that failed or was cancelled again, as a new one: 201. The same Idempotency-Key of the same caller gives
// the same new run: 200.
func (s *Server) retry(w http.ResponseWriter, r *http.Request, id registry.RunID) error {
	nonce, err := nonceOf(r)
	if err != nil {
		return err
	}
	run, created, err := s.cfg.Runs.RepeatRun(r.Context(), id, nonce)
	if errors.Is(err, registry.ErrNoRepeat) {
		return httpapi.Faultf(http.StatusConflict, "not_repeatable", "the run is %s: %v", run.State, registry.ErrNoRepeat)
	}
	if err != nil {
		return refuse(err)
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	w.Header().Set("Location", "/v1/runs/"+run.ID.String())
	return answer(w, status, run)
}
