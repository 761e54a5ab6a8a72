package registryapi

import (
	"errors"
	"net/http"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

const (
	maxBlobList = 1 << 20 // bytes

	headerModel    = "Signalbox-Model"
	headerRun      = "Signalbox-Run"
	headerExecutor = "Signalbox-Executor"
)

// missingBlobs says which blobs of a package are still to be uploaded, and where. Repeating it changes nothing.
func (s *Server) missingBlobs(w http.ResponseWriter, r *http.Request) error {
	if _, err := httpapi.IdempotencyKey(r); err != nil {
		return err
	}
	body, err := httpapi.ReadJSON[struct {
		Blobs []cas.Descriptor `json:"blobs"`
	}](r, maxBlobList)
	if err != nil {
		return err
	}
	out, err := s.reg.MissingBlobs(r.Context(), body.Blobs)
	if err != nil {
		return refuse(err)
	}
	return httpapi.JSON(w, http.StatusOK, struct {
		Blobs []registry.BlobUpload `json:"blobs"`
	}{present(out)})
}

// publish makes a package visible: 201, then 200 for ever.
func (s *Server) publish(w http.ResponseWriter, r *http.Request) error {
	id, err := digestOf(r, "id")
	if err != nil {
		return err
	}
	model, err := registry.ParseModelName(r.Header.Get(headerModel))
	if err != nil {
		return httpapi.Faultf(http.StatusBadRequest, "bad_model", "%s: %v", headerModel, err)
	}
	run, err := publisher(r)
	if err != nil {
		return err
	}
	if err := s.fence(r, run); err != nil {
		return err
	}
	b, err := httpapi.ReadBody(r, manifest.MaxManifest)
	if err != nil {
		return err
	}
	if httpapi.HoldsNUL(b) {
		return httpapi.BadText()
	}
	p, created, err := s.reg.PublishPackage(r.Context(), id, b, model, run)
	if err != nil {
		return refuse(err)
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	w.Header().Set("Location", "/v1/packages/"+id.String())
	return httpapi.JSON(w, status, p)
}

// publisher is the run that a package comes from, zero for somebody who publishes by hand. A run's token cannot publish
// for another run, nor by hand: that would announce a package whose run has not ended.
func publisher(r *http.Request) (registry.RunID, error) {
	text, who := r.Header.Get(headerRun), auth.PrincipalFrom(r.Context())
	if who.Run != "" && who.Run != text {
		return registry.RunID{}, httpapi.Faultf(http.StatusForbidden, "forbidden", "this token publishes for its own run only: send %s: %s", headerRun, who.Run)
	}
	if text == "" {
		return registry.RunID{}, nil
	}
	id, err := registry.ParseRunID(text)
	if err != nil {
		return registry.RunID{}, httpapi.BadRunID()
	}
	return id, nil
}

// fence refuses a job that reports no more: one of an attempt that is over or belongs to another executor.
func (s *Server) fence(r *http.Request, id registry.RunID) error {
	who := auth.PrincipalFrom(r.Context())
	if who.Run == "" {
		return nil
	}
	run, err := s.reg.Run(r.Context(), id)
	if err == nil {
		err = run.Fence(who.Attempt, r.Header.Get(headerExecutor))
	}
	if errors.Is(err, registry.ErrRunMoved) {
		return httpapi.Fault(http.StatusConflict, "fenced", "the run has moved on: it was cancelled, or another attempt or executor has taken over")
	}
	return err
}
