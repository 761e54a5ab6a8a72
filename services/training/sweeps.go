package training

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// sweeps is what people ask about sweeps.
type sweeps interface {
	StartSweep(ctx context.Context, q registry.SweepRequest) (s registry.Sweep, created bool, err error)
	SweepByNonce(ctx context.Context, nonce string) (registry.Sweep, error)
	Sweep(ctx context.Context, id registry.SweepID) (registry.Sweep, error)
	Sweeps(ctx context.Context, f registry.SweepFilter) ([]registry.Sweep, error)
	CancelSweep(ctx context.Context, id registry.SweepID, reason string) (registry.Sweep, error)
}

// sweepRoutes registers the API of sweeps.
func (s *Server) sweepRoutes(rt *httpapi.Router) {
	rt.Handle("POST /v1/sweeps", auth.RunsCreate, s.startSweep)
	rt.Handle("GET /v1/sweeps", auth.RunsRead, s.listSweeps)
	rt.Handle("GET /v1/sweeps/{id}", auth.RunsRead, s.getSweep)
	rt.Handle("POST /v1/sweeps/{call}", auth.RunsCreate, s.cancelSweep)
}

// maxSweepBody is a request and a search, with what stands around them.
const maxSweepBody = registry.MaxRequest + registry.MaxSearch + 1024

// startSweep starts a sweep: 201. The same Idempotency-Key of the same caller gives the same sweep: 200.
func (s *Server) startSweep(w http.ResponseWriter, r *http.Request) error {
	body, err := httpapi.ReadBody(r, maxSweepBody)
	if err != nil {
		return err
	}
	nonce, err := nonceOf(r)
	if err != nil {
		return err
	}
	sweep, created, err := s.sweep(r.Context(), body, nonce)
	if err != nil {
		return refuse(err)
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	w.Header().Set("Location", "/v1/sweeps/"+sweep.ID.String())
	return httpapi.JSON(w, status, sweep)
}

// sweep finds the sweep of an earlier request with this nonce, whatever became of what that one named, or makes one.
func (s *Server) sweep(ctx context.Context, body []byte, nonce string) (registry.Sweep, bool, error) {
	sweep, err := s.cfg.Runs.SweepByNonce(ctx, nonce)
	if err == nil || !errors.Is(err, registry.ErrNotFound) {
		return sweep, false, err
	}
	if err := wellFormed(body); err != nil {
		return registry.Sweep{}, false, err
	}
	var fs manifest.FaultList
	q := readObject(&fs, "", body)
	q.known(&fs, "request", "search")
	for _, part := range []struct {
		name, missing string
		check         func([]byte) error
	}{
		{"request", "is missing: say what to train, as for POST /train", func(b []byte) error { return s.check(ctx, b) }},
		{"search", "is missing: say what to try", func(b []byte) error { _, err := registry.ParseSearch(b); return err }},
	} {
		if !q.has(part.name) {
			fs.Check(q.members == nil, q.pointer(part.name), "%s", part.missing)
			continue
		}
		err := part.check(q.members[part.name])
		if err != nil && !errors.Is(err, registry.ErrInvalid) {
			return registry.Sweep{}, false, err
		}
		fs.Nested("/"+part.name, err)
	}
	if err := fs.Join(); err != nil {
		return registry.Sweep{}, false, err
	}
	return s.cfg.Runs.StartSweep(ctx, registry.SweepRequest{Request: q.members["request"], Search: q.members["search"], Nonce: nonce})
}

// listSweeps answers with one page of sweeps, newest first.
func (s *Server) listSweeps(w http.ResponseWriter, r *http.Request) error {
	f, err := sweepFilter(r)
	if err != nil {
		return err
	}
	limit := f.Limit
	f.Limit++ // one more says whether there is a next page
	found, err := s.cfg.Runs.Sweeps(r.Context(), f)
	if err != nil {
		return err
	}
	out := struct {
		Sweeps []registry.Sweep `json:"sweeps"`
		Next   string           `json:"next,omitempty"`
	}{Sweeps: []registry.Sweep{}}
	found, out.Next = page(found, limit)
	out.Sweeps = append(out.Sweeps, found...)
	return httpapi.JSON(w, http.StatusOK, out)
}

func sweepFilter(r *http.Request) (registry.SweepFilter, error) {
	q, err := readQuery(r, "model", "state", "cursor", "limit")
	if err != nil {
		return registry.SweepFilter{}, err
	}
	return registry.SweepFilter{
		Model: q.model(), After: q.cursor(), Limit: q.limit(),
		States: states(q, registry.SweepRunning, registry.SweepComplete, registry.SweepFailed, registry.SweepCancelled),
	}, q.err()
}

// cancelSweep answers POST /v1/sweeps/{id}:cancel. One that is cancelled already is a success.
func (s *Server) cancelSweep(w http.ResponseWriter, r *http.Request) error {
	text, verb, _ := strings.Cut(r.PathValue("call"), ":")
	if verb != "cancel" {
		return httpapi.Fault(http.StatusNotFound, "no_route", "there is nothing at this path")
	}
	id, err := parseSweep(text)
	if err != nil {
		return err
	}
	sweep, err := s.cfg.Runs.CancelSweep(r.Context(), id, "cancelled by "+auth.PrincipalFrom(r.Context()).Name)
	if errors.Is(err, registry.ErrSweepMoved) {
		return httpapi.Faultf(http.StatusConflict, "ended", "the sweep is %s: only a running one is cancelled", sweep.State)
	}
	if err != nil {
		return err
	}
	return httpapi.JSON(w, http.StatusOK, sweep)
}

func parseSweep(text string) (registry.SweepID, error) {
	id, err := registry.ParseSweepID(text)
	if err != nil {
		return registry.SweepID{}, httpapi.Fault(http.StatusBadRequest, "bad_id", "want a sweep id, a UUID as the API prints it")
	}
	return id, nil
}
