package registryapi

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/remote"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// searchRetry is when a prediction that was just made may be in the archive.
const searchRetry = 2 * time.Second

// prediction walks from a prediction back to the offsets that its model was trained on.
func (s *Server) prediction(w http.ResponseWriter, r *http.Request) error {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil || id.String() != r.PathValue("id") {
		return httpapi.Fault(http.StatusBadRequest, "bad_prediction_id", "a prediction id is a UUID, as prediction_ids of an answer has it")
	}
	q, err := query(r, "near")
	if err != nil {
		return err
	}
	near, err := timeOf(q, "near")
	if err != nil {
		return err
	}
	found, err := s.search(r.Context(), id, near)
	if err != nil {
		return err
	}
	origin, err := s.origin(r.Context(), found.Package)
	if err != nil {
		return err
	}
	return httpapi.JSON(w, http.StatusOK, remote.PredictionLineage{Prediction: found, Package: origin})
}

// origin walks back from a package to the run that left it first. A package that a prediction names was published, and
// packages stay: its absence is a fault of ours and no 404.
func (s *Server) origin(ctx context.Context, id cas.Digest) (remote.PackageOrigin, error) {
	l, err := s.reg.Lineage(ctx, id)
	if err != nil {
		return remote.PackageOrigin{}, fmt.Errorf("package of a prediction: %v", err)
	}
	o := remote.PackageOrigin{ID: id, Model: l.Package.Model, Sources: []manifest.Source{}}
	if len(l.Runs) == 0 {
		return o, nil
	}
	first := l.Runs[len(l.Runs)-1]
	o.Run = &first.Run
	if first.Dataset != nil {
		o.Dataset, o.Sources = &first.Dataset.Dataset, present(first.Dataset.Sources)
	}
	return o, nil
}
