package registryapi

import (
	"encoding/json"
	"net/http"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// datasets lists finished datasets, newest first.
func (s *Server) datasets(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r, "name", "limit")
	if err != nil {
		return err
	}
	f := registry.DatasetFilter{Name: q.Get("name")}
	if q.Has("name") {
		if err := registry.CheckName(f.Name); err != nil {
			return err
		}
	}
	if f.Limit, err = limitOf(q); err != nil {
		return err
	}
	list, err := s.reg.Datasets(r.Context(), f)
	if err != nil {
		return err
	}
	return httpapi.JSON(w, http.StatusOK, struct {
		Datasets []registry.Dataset `json:"datasets"`
	}{present(list)})
}

// datasetAnswer is a dataset with all that is known of it.
type datasetAnswer struct {
	Dataset  registry.Dataset `json:"dataset"`
	Manifest json.RawMessage  `json:"manifest"` // the document that the digest is of, byte for byte
	Runs     []registry.Run   `json:"runs"`     // that were trained on it, newest first
}

// dataset answers with a dataset's manifest, which names what it was made from, and the runs that used it.
func (s *Server) dataset(w http.ResponseWriter, r *http.Request) error {
	id, err := digestOf(r, "digest")
	if err != nil {
		return err
	}
	use, err := s.reg.DatasetUse(r.Context(), id)
	if err != nil {
		return err
	}
	return httpapi.JSON(w, http.StatusOK, datasetAnswer{Dataset: use.Dataset, Manifest: use.Dataset.Manifest, Runs: present(use.Runs)})
}
