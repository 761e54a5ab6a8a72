package registryapi

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/remote"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// maxMove bounds the body of one change of a tag, in bytes.
const maxMove = 64 << 10

// tags lists the newest state of every tag.
func (s *Server) tags(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r, "limit")
	if err != nil {
		return err
	}
	states, err := s.reg.Tags(r.Context())
	if err != nil {
		return err
	}
	if states, err = all(states, q); err != nil {
		return err
	}
	return httpapi.JSON(w, http.StatusOK, struct {
		Tags []remote.Tag `json:"tags"`
	}{wire(states)})
}

func wire(states []registry.TagState) []remote.Tag {
	out := make([]remote.Tag, len(states))
	for i, st := range states {
		out[i] = remote.TagOf(st)
	}
	return out
}

// tag answers with a tag as it stands, or as it stood at ?as_of=.
func (s *Server) tag(w http.ResponseWriter, r *http.Request) error {
	t, err := tagOf(r, r.PathValue("tag"))
	if err != nil {
		return err
	}
	q, err := query(r, "as_of")
	if err != nil {
		return err
	}
	at, err := timeOf(q, "as_of")
	if err != nil {
		return err
	}
	var st registry.TagState
	if q.Has("as_of") {
		st, err = s.reg.HistoryAsOf(r.Context(), t, at)
	} else {
		st, err = s.reg.Resolve(r.Context(), t)
	}
	if err != nil {
		return err
	}
	if known(r, st.Generation) {
		w.Header().Set("ETag", etag(st.Generation))
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return answerTag(w, http.StatusOK, st)
}

// history answers with every generation of a tag, oldest first and without a gap.
func (s *Server) history(w http.ResponseWriter, r *http.Request) error {
	t, err := tagOf(r, r.PathValue("tag"))
	if err != nil {
		return err
	}
	if _, err := query(r); err != nil {
		return err
	}
	states, err := s.reg.History(r.Context(), t)
	if err != nil {
		return err
	}
	return httpapi.JSON(w, http.StatusOK, struct {
		Generations []remote.Tag `json:"generations"`
	}{wire(states)})
}

// change is what every change of a tag says in its headers.
type change struct {
	tag    registry.Tag
	expect int64  // generation that it starts from
	op     string // its identity
	actor  string
}

func changeOf(r *http.Request, name string) (change, error) {
	c := change{actor: auth.PrincipalFrom(r.Context()).Name}
	var err error
	if c.tag, err = tagOf(r, name); err != nil {
		return c, err
	}
	if c.expect, err = expected(r); err != nil {
		return c, err
	}
	c.op, err = httpapi.IdempotencyKey(r)
	return c, err
}

// moveTag moves a tag from the generation that the caller has seen: 201 for its first value.
func (s *Server) moveTag(w http.ResponseWriter, r *http.Request) error {
	c, err := changeOf(r, r.PathValue("tag"))
	if err != nil {
		return err
	}
	body, err := httpapi.ReadJSON[remote.Move](r, maxMove)
	if err != nil {
		return err
	}
	st, err := s.reg.Promote(r.Context(), registry.TagMove{
		Tag: c.tag, Expect: c.expect, Arms: body.Arms, Actor: c.actor, Reason: body.Reason, Evidence: body.Evidence, Op: c.op,
	})
	if err == nil && !slices.Equal(st.Arms, body.Arms) {
		err = reused()
	}
	return answerMove(w, c.expect, st, err)
}

// rollback serves POST /v1/tags/{model}/{tag}:rollback.
func (s *Server) rollback(w http.ResponseWriter, r *http.Request) error {
	text, verb, _ := strings.Cut(r.PathValue("call"), ":")
	if verb != "rollback" {
		return httpapi.Fault(http.StatusNotFound, "no_route", "there is nothing at this path")
	}
	c, err := changeOf(r, text)
	if err != nil {
		return err
	}
	body, err := httpapi.ReadJSON[remote.Rollback](r, maxMove)
	if err != nil {
		return err
	}
	st, err := s.reg.Rollback(r.Context(), registry.RollbackRequest{
		Tag: c.tag, To: body.Generation, Expect: c.expect, Actor: c.actor, Reason: body.Reason, Op: c.op,
	})
	return answerMove(w, c.expect, st, err)
}

// answerMove answers a change of a tag that the caller expected at a generation.
func answerMove(w http.ResponseWriter, expect int64, st registry.TagState, err error) error {
	switch {
	case errors.Is(err, registry.ErrTagMoved):
		return moved(w, st)
	case err != nil:
		return refuse(err)
	case st.Generation != expect+1:
		return reused()
	case st.Generation == 1:
		return answerTag(w, http.StatusCreated, st)
	}
	return answerTag(w, http.StatusOK, st)
}

func answerTag(w http.ResponseWriter, status int, st registry.TagState) error {
	w.Header().Set("ETag", etag(st.Generation))
	return httpapi.JSON(w, status, remote.TagOf(st))
}

func tagOf(r *http.Request, name string) (registry.Tag, error) {
	t := registry.Tag{Model: registry.ModelName(r.PathValue("model")), Name: name}
	return t, errors.Join(registry.CheckName(string(t.Model)), registry.CheckName(t.Name))
}

func etag(generation int64) string { return strconv.Quote(strconv.FormatInt(generation, 10)) }
