package registryapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/remote"
	"github.com/signalbox-ml/signalbox/registry/spec"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// Bounds of one apply.
const (
	maxApply     = spec.MaxYAML // bytes
	maxDocuments = 1000
)

// apply declares documents, all or none of them, and says what became of each. With ?dry-run=true it only says so.
func (s *Server) apply(w http.ResponseWriter, r *http.Request) error {
	dryRun, err := dryRunOf(r)
	if err != nil {
		return err
	}
	if _, err := httpapi.IdempotencyKey(r); err != nil { // repeating it changes nothing, with a key or without
		return err
	}
	body, err := httpapi.ReadJSON[remote.Apply](r, maxApply)
	if err != nil {
		return err
	}
	if n := len(body.Documents); n == 0 || n > maxDocuments {
		return httpapi.Invalid(&manifest.Fault{Path: "/documents", Problem: fmt.Sprintf("want 1 to %d documents, got %d", maxDocuments, n)})
	}
	applied, err := s.declare(r.Context(), body.Documents, dryRun)
	if err != nil {
		return err
	}
	return httpapi.JSON(w, http.StatusOK, struct {
		Applied []registry.Applied `json:"applied"`
	}{applied})
}

func dryRunOf(r *http.Request) (bool, error) {
	q, err := query(r, "dry-run")
	if err != nil || !q.Has("dry-run") {
		return false, err
	}
	switch q.Get("dry-run") {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, badQuery("dry-run: want true or false")
}

// declare judges documents first, whatever is asked: a topic is made only for documents that will be stored, and before
// they are, so that nobody can publish to a stream without one.
func (s *Server) declare(ctx context.Context, docs []spec.Document, dryRun bool) ([]registry.Applied, error) {
	topics, faults := checkStreams(docs)
	applied, err := s.reg.Apply(ctx, docs, true)
	if err != nil && !errors.Is(err, registry.ErrInvalid) {
		return nil, err
	}
	if err != nil || len(faults) > 0 {
		return nil, invalidDocuments(faults, err, docs)
	}
	if dryRun {
		return applied, nil
	}
	if err := s.ensure(ctx, topics); err != nil {
		return nil, err
	}
	applied, err = s.reg.Apply(ctx, docs, false)
	if errors.Is(err, registry.ErrInvalid) { // somebody else declared something in between
		return nil, invalidDocuments(nil, err, docs)
	}
	return applied, err
}

// kinds are the kinds of specs.
func kinds() []string {
	return []string{spec.KindStream, spec.KindDataset, spec.KindWorkflow, spec.KindModel}
}

func checkKind(kind string) error {
	if slices.Contains(kinds(), kind) {
		return nil
	}
	return badQuery("kind: want one of " + strings.Join(kinds(), ", "))
}

// specs lists the specs of one kind, or of all.
func (s *Server) specs(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r, "kind", "limit")
	if err != nil {
		return err
	}
	if q.Has("kind") {
		if err := checkKind(q.Get("kind")); err != nil {
			return err
		}
	}
	list, err := s.reg.Specs(r.Context(), q.Get("kind"))
	if err != nil {
		return err
	}
	if list, err = all(list, q); err != nil {
		return err
	}
	return httpapi.JSON(w, http.StatusOK, struct {
		Specs []registry.Spec `json:"specs"`
	}{list})
}

// spec answers with one spec.
func (s *Server) spec(w http.ResponseWriter, r *http.Request) error {
	kind, name := r.PathValue("kind"), r.PathValue("name")
	if err := checkKind(kind); err != nil {
		return err
	}
	if err := registry.CheckName(name); err != nil {
		return err
	}
	found, err := s.reg.Spec(r.Context(), kind, name)
	if err != nil {
		return err
	}
	return httpapi.JSON(w, http.StatusOK, found)
}
