package training

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// train takes a training request and answers with the run's id as a JSON string. The same Idempotency-Key of the same
// caller gives the same run; without one every request is a run of its own.
func (s *Server) train(w http.ResponseWriter, r *http.Request) error {
	body, err := httpapi.ReadBody(r, registry.MaxRequest)
	if err != nil {
		return err
	}
	nonce, err := nonceOf(r)
	if err != nil {
		return err
	}
	run, err := s.request(r.Context(), body, nonce)
	if err != nil {
		return refuse(err)
	}
	w.Header().Set("Location", "/v1/runs/"+run.ID.String())
	return httpapi.JSON(w, http.StatusOK, run.ID)
}

// nonceOf makes every request without a key one of its own.
func nonceOf(r *http.Request) (string, error) {
	key, err := httpapi.IdempotencyKey(r)
	if key == "" {
		key = uuid.NewString()
	}
	return key, err
}

// request finds the run of an earlier request with this nonce, whatever became of what that one named, or makes one.
func (s *Server) request(ctx context.Context, body []byte, nonce string) (registry.Run, error) {
	run, err := s.cfg.Runs.RunByNonce(ctx, nonce)
	if err == nil || !errors.Is(err, registry.ErrNotFound) {
		return run, err
	}
	if err := wellFormed(body); err != nil {
		return registry.Run{}, err
	}
	if err := s.check(ctx, body); err != nil {
		return registry.Run{}, err
	}
	run, _, err = s.cfg.Runs.RequestRun(ctx, registry.RunRequest{Request: body, Nonce: nonce})
	return run, err
}

// wellFormed refuses what is no JSON, members that are there twice, and texts that no Unicode has. Numbers that have no
// canonical form are left to check, which says where they are.
func wellFormed(body []byte) error {
	err := json.Unmarshal(body, new(json.RawMessage)) // which bounds the depth, too
	if err == nil {
		if _, err = manifest.Canonical(body); err != nil {
			var fs manifest.FaultList
			if checkScalars(&fs, "", body); len(fs) > 0 {
				return nil
			}
		}
	}
	if err != nil {
		return httpapi.Fault(http.StatusBadRequest, "malformed", err.Error())
	}
	return nil
}
