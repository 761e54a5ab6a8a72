package inference

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// MaxBody is the size of the largest request, in bytes.
const MaxBody = 1 << 20

const (
	headerMinGeneration = "Signalbox-Min-Generation"
	headerKey           = "Signalbox-Key"
)

// asked is one predict request on its way.
type asked struct {
	tag        registry.Tag // zero where a package was named
	generation int64
	pkg        *resident
	key        string
	begin      time.Time
}

func (s *Server) predictTag(w http.ResponseWriter, r *http.Request) error {
	tag, err := tagOf(r)
	if err != nil {
		return err
	}
	least, err := minGeneration(r)
	if err != nil {
		return err
	}
	return s.answer(w, r, func(a *asked) error {
		a.tag = tag
		a.key = r.Header.Get(headerKey)
		return s.resolve(r.Context(), a, least)
	})
}

func (s *Server) predictPackage(w http.ResponseWriter, r *http.Request) error {
	id, err := cas.Parse(r.PathValue("id"))
	if err != nil {
		return httpapi.Fault(http.StatusNotFound, "not_found", "there is no such package: want sha256. and 52 upper-case base32 characters")
	}
	return s.answer(w, r, func(a *asked) error {
		p, err := s.keeper.pin(r.Context(), id)
		if err != nil {
			return s.unpinned(r.Context(), id, err)
		}
		if string(p.about.Model) != r.PathValue("model") {
			p.release()
			return httpapi.Fault(http.StatusNotFound, "not_found", "the package was published for another model")
		}
		a.pkg = p
		return nil
	})
}

// answer reads the body, resolves the package and answers.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, resolve func(*asked) error) error {
	if err := s.bodies.enter(r.Context()); err != nil {
		return busy()
	}
	defer s.bodies.leave()
	sc, ok := s.scratches.Get().(*scratch)
	if !ok {
		sc = new(scratch)
	}
	defer s.putScratch(sc)
	if err := sc.read(r); err != nil {
		return err
	}
	a := asked{begin: time.Now()}
	if err := resolve(&a); err != nil {
		return err
	}
	defer a.pkg.release()
	if a.pkg.native() {
		if err := s.gate.enter(r.Context()); err != nil {
			return busy()
		}
		defer s.gate.leave()
	}
	if err := a.pkg.inputs.DecodeRequest(sc.body, r.URL.Query().Get("strict") == "true", &sc.rows); err != nil {
		return refuse(err)
	}
	out, err := a.pkg.model.Predict(r.Context(), sc.rows.Batch)
	if err != nil {
		return s.failed(r.Context(), &a, err)
	}
	ids, err := newIDs(out.Rows)
	if err != nil {
		return err
	}
	sc.answer(&a, out, ids)
	s.journal.record(r.Context(), &a, sc, ids)
	s.measure(r.Context(), &a, sc)
	w.Header().Set("Content-Length", strconv.Itoa(len(sc.out)))
	return httpapi.Bytes(w, http.StatusOK, "application/json", sc.out)
}

// resolve finds what a tag serves at a generation of at least least, and waits a while for it. It takes a reference.
func (s *Server) resolve(ctx context.Context, a *asked, least int64) error {
	var over <-chan time.Time
	for {
		t := s.keeper.table.Load()
		r := t.routes[a.tag]
		if r != nil && r.generation >= least {
			if p := r.pick(a.key); p.acquire() {
				a.pkg, a.generation = p, r.generation
				return nil
			}
			continue // the table has just changed
		}
		if least == 0 {
			return absent(t, a.tag)
		}
		if over == nil {
			timer := time.NewTimer(s.cfg.MinGenerationWait)
			defer timer.Stop()
			over = timer.C
		}
		select {
		case <-t.replaced:
		case <-over:
			f := httpapi.Faultf(http.StatusServiceUnavailable, "generation_not_served", "generation %d is not served here yet: try again", least)
			if r != nil {
				f = f.With("generation", r.generation)
			}
			return f.RetryAfter(time.Second)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tagOf reads the tag of the path. What cannot be a name names nothing.
func tagOf(r *http.Request) (registry.Tag, error) {
	t := registry.Tag{Model: registry.ModelName(r.PathValue("model")), Name: r.PathValue("tag")}
	if registry.CheckName(string(t.Model)) != nil || registry.CheckName(t.Name) != nil {
		return t, httpapi.Fault(http.StatusNotFound, "not_found", "there is no such model or tag")
	}
	return t, nil
}

// minGeneration reads the least generation that the caller accepts; 0 where it does not say.
func minGeneration(r *http.Request) (int64, error) {
	text := r.Header.Get(headerMinGeneration)
	if q := r.URL.Query().Get("min-generation"); q != "" {
		text = q
	}
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, httpapi.Faultf(http.StatusBadRequest, "bad_query", "min-generation %.20q: want a whole number", text)
	}
	return n, nil
}
