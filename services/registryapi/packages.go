package registryapi

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/remote"
	"github.com/signalbox-ml/signalbox/registry/spec"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// packages lists packages, newest first.
func (s *Server) packages(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r, "model", "run", "limit")
	if err != nil {
		return err
	}
	f := registry.PackageFilter{Model: registry.ModelName(q.Get("model"))}
	if q.Has("model") {
		if _, err := registry.ParseModelName(string(f.Model)); err != nil {
			return err
		}
	}
	if f.Limit, err = limitOf(q); err != nil {
		return err
	}
	list, err := s.listPackages(r.Context(), f, q)
	if err != nil {
		return err
	}
	return httpapi.JSON(w, http.StatusOK, struct {
		Packages []registry.Package `json:"packages"`
	}{present(list)})
}

func (s *Server) listPackages(ctx context.Context, f registry.PackageFilter, q url.Values) ([]registry.Package, error) {
	if !q.Has("run") {
		return s.reg.Packages(ctx, f)
	}
	id, err := registry.ParseRunID(q.Get("run"))
	if err != nil {
		return nil, httpapi.BadRunID()
	}
	run, err := s.reg.Run(ctx, id)
	if err != nil || run.Package.IsZero() || f.Model != "" && f.Model != run.Model {
		return nil, err
	}
	p, err := s.reg.Package(ctx, run.Package)
	return []registry.Package{p}, err
}

// manifest answers with the exact bytes that hash to the id.
func (s *Server) manifest(w http.ResponseWriter, r *http.Request) error {
	p, err := s.findPackage(r)
	if err != nil {
		return err
	}
	return httpapi.Bytes(w, http.StatusOK, manifest.MediaManifest, p.Manifest)
}

func (s *Server) findPackage(r *http.Request) (registry.Package, error) {
	id, err := digestOf(r, "id")
	if err != nil {
		return registry.Package{}, err
	}
	return s.reg.Package(r.Context(), id)
}

// files hands out what a server needs to serve a package.
func (s *Server) files(w http.ResponseWriter, r *http.Request) error {
	p, err := s.findPackage(r)
	if err != nil {
		return err
	}
	files, err := s.reg.SignPackage(r.Context(), p.ID)
	if err != nil {
		return err
	}
	policy, err := s.policy(r.Context(), p.Model)
	if err != nil {
		return err
	}
	return httpapi.JSON(w, http.StatusOK, remote.Files{Files: files, Model: p.Model, Policy: policy})
}

// policy is what the model's spec says now; a model without one keeps nothing of what it is asked.
func (s *Server) policy(ctx context.Context, model registry.ModelName) (remote.Policy, error) {
	stored, err := s.reg.Spec(ctx, spec.KindModel, string(model))
	if errors.Is(err, registry.ErrNotFound) {
		return remote.Policy{}, nil
	}
	if err != nil {
		return remote.Policy{}, err
	}
	m, err := spec.Read[spec.Model](stored.Body)
	return remote.Policy{LogInputs: m.Prediction.LogInputs}, err
}

// attestations lists what is said about a package, oldest first.
func (s *Server) attestations(w http.ResponseWriter, r *http.Request) error {
	p, err := s.findPackage(r)
	if err != nil {
		return err
	}
	list, err := s.reg.Attestations(r.Context(), p.ID)
	if err != nil {
		return err
	}
	return httpapi.JSON(w, http.StatusOK, struct {
		Attestations []registry.Attestation `json:"attestations"`
	}{present(list)})
}

// lineage walks both ways from a package.
func (s *Server) lineage(w http.ResponseWriter, r *http.Request) error {
	id, err := digestOf(r, "id")
	if err != nil {
		return err
	}
	l, err := s.reg.Lineage(r.Context(), id)
	if err != nil {
		return err
	}
	return httpapi.JSON(w, http.StatusOK, l)
}
