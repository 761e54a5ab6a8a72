package registryapi

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/remote"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

func production() registry.Tag { return registry.Tag{Model: "flight-delay", Name: "production"} }

func move(pkg cas.Digest, expect int64) registry.TagMove {
	return registry.TagMove{Tag: production(), Expect: expect, Arms: registry.One(pkg), Reason: "better"}
}

func TestMoveTag(t *testing.T) {
	w := newWorld(t)
	c := w.as(auth.Promoter)
	one, two := w.publish("one"), w.publish("two")
	first := move(one, 0)
	first.Op, first.Evidence = "k", cas.Sum([]byte("evaluation"))
	s := must(c.MoveTag(t.Context(), first))(t)
	if s.Generation != 1 || s.Actor != "a promoter" || s.Reason != "better" || s.Evidence != first.Evidence || s.Tag != production() {
		t.Errorf("created %+v", s)
	}
	if s = must(c.MoveTag(t.Context(), move(two, 1)))(t); s.Generation != 2 || s.Previous[0].Package != one {
		t.Errorf("moved %+v", s)
	}
	// Who lost learns where the tag is.
	for _, expect := range []int64{0, 1, 3} {
		if now, err := c.MoveTag(t.Context(), move(one, expect)); !errors.Is(err, registry.ErrTagMoved) || now.Generation != 2 || now.Arms[0].Package != two {
			t.Errorf("expecting %d: %+v, %v", expect, now, err)
		}
	}
	// The first promoter did not hear the answer and asks again.
	if s = must(c.MoveTag(t.Context(), first))(t); s.Generation != 1 {
		t.Errorf("repeat %+v", s)
	}
	if s = must(c.Tag(t.Context(), production()))(t); s.Generation != 2 {
		t.Errorf("tag %+v", s)
	}
	if list := must(c.ListTags(t.Context()))(t); len(list) != 1 || list[0].Tag != production() || list[0].Generation != 2 {
		t.Errorf("tags %+v", list)
	}
}

func TestRollbackAndHistory(t *testing.T) {
	w := newWorld(t)
	c := w.as(auth.Promoter)
	var ids []cas.Digest
	var between []time.Time
	for i := range 3 {
		ids = append(ids, w.publish(fmt.Sprint(i)))
		must(c.MoveTag(t.Context(), move(ids[i], int64(i))))(t)
		between = append(between, must(c.Tag(t.Context(), production()))(t).At)
	}
	back := registry.RollbackRequest{Tag: production(), Expect: 3, Op: "r"}
	s := must(c.Rollback(t.Context(), back))(t)
	if s.Generation != 4 || s.Arms[0].Package != ids[1] || s.Actor != "a promoter" || s.Reason == "" {
		t.Errorf("rolled back to %+v", s)
	}
	if s = must(c.Rollback(t.Context(), registry.RollbackRequest{Tag: production(), To: 1, Expect: 4, Reason: "bad"}))(t); s.Generation != 5 || s.Reason != "bad" {
		t.Errorf("rolled back to %+v", s)
	}
	if s = must(c.Rollback(t.Context(), back))(t); s.Generation != 4 {
		t.Errorf("repeat %+v", s)
	}
	back.Op = ""
	if now, err := c.Rollback(t.Context(), back); !errors.Is(err, registry.ErrTagMoved) || now.Generation != 5 {
		t.Errorf("late: %+v, %v", now, err)
	}
	if _, err := c.Rollback(t.Context(), registry.RollbackRequest{Tag: production(), To: 9, Expect: 5}); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("to no generation: %v", err)
	}
	h := must(c.TagHistory(t.Context(), production()))(t)
	for i, s := range h {
		if s.Generation != int64(i+1) || s.Tag != production() {
			t.Errorf("generation %d is %+v", i+1, s)
		}
	}
	if len(h) != 5 {
		t.Errorf("history of %d", len(h))
	}
	// Two moves may fall into one microsecond: then the later one is what stood.
	for i, at := range between {
		if s := must(c.TagAsOf(t.Context(), production(), at))(t); s.Generation < int64(i+1) || s.At.After(at) {
			t.Errorf("as of %s: %+v", at, s)
		}
	}
	if _, err := c.TagAsOf(t.Context(), production(), between[0].Add(-time.Second)); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("before the first: %v", err)
	}
}

func TestTagsRefused(t *testing.T) {
	w := newWorld(t)
	id, other := w.publish("one"), w.publish("two")
	must(w.as(auth.Promoter).MoveTag(t.Context(), registry.TagMove{Tag: production(), Arms: registry.One(id), Op: "used"}))(t)
	const path = "/v1/tags/flight-delay/production"
	body := func(pkg cas.Digest) string {
		return `{"arms":[{"package":"` + pkg.String() + `","weight":10000}],"reason":"r"}`
	}
	good, at1, fresh := body(id), []string{"If-Match", `"1"`}, []string{"If-None-Match", "*"}
	for name, c := range map[string]refusal{
		"no precondition":        {auth.Promoter, "PUT", path, good, nil, 428, "precondition_required", "If-Match"},
		"moved on":               {auth.Promoter, "PUT", path, good, fresh, 412, "tag_moved", "generation 1"},
		"no such tag":            {auth.Promoter, "PUT", "/v1/tags/flight-delay/x", good, at1, 412, "tag_moved", "no such tag"},
		"two preconditions":      {auth.Promoter, "PUT", path, good, append(at1, "If-None-Match", "*"), 400, "bad_precondition", ""},
		"weak tag":               {auth.Promoter, "PUT", path, good, []string{"If-Match", `W/"1"`}, 400, "bad_precondition", ""},
		"no quotes":              {auth.Promoter, "PUT", path, good, []string{"If-Match", `1`}, 400, "bad_precondition", ""},
		"two tags":               {auth.Promoter, "PUT", path, good, []string{"If-Match", `"1", "2"`}, 400, "bad_precondition", ""},
		"generation 0":           {auth.Promoter, "PUT", path, good, []string{"If-Match", `"0"`}, 400, "bad_precondition", ""},
		"any":                    {auth.Promoter, "PUT", path, good, []string{"If-Match", `*`}, 400, "bad_precondition", ""},
		"none of one":            {auth.Promoter, "PUT", path, good, []string{"If-None-Match", `"1"`}, 400, "bad_precondition", ""},
		"may not":                {auth.Trainer, "PUT", path, good, at1, 403, "forbidden", "tags.promote"},
		"bad model":              {auth.Promoter, "PUT", "/v1/tags/A/b", good, at1, 400, "bad_name", ""},
		"bad name":               {auth.Promoter, "PUT", "/v1/tags/a/b:c", good, at1, 400, "bad_name", ""},
		"actor in the body":      {auth.Promoter, "PUT", path, `{"actor":"root"}`, at1, 400, "malformed", "actor"},
		"no arms":                {auth.Promoter, "PUT", path, `{}`, at1, 422, "invalid", "/arms"},
		"unpublished":            {auth.Promoter, "PUT", path, body(cas.Sum(nil)), at1, 422, "invalid", "/arms/0/package"},
		"U+0000":                 {auth.Promoter, "PUT", path, strings.Replace(good, `"r"`, `"\u0000"`, 1), at1, 400, "bad_text", ""},
		"too large":              {auth.Promoter, "PUT", path, strings.Repeat(" ", maxMove+1), at1, 413, "too_large", ""},
		"long key":               {auth.Promoter, "PUT", path, good, append(at1, httpapi.HeaderIdempotencyKey, strings.Repeat("k", 256)), 400, "bad_idempotency_key", ""},
		"key of another move":    {auth.Promoter, "PUT", path, body(other), append(fresh, httpapi.HeaderIdempotencyKey, "used"), 422, "idempotency_key_reused", ""},
		"key of another start":   {auth.Promoter, "PUT", path, good, append(at1, httpapi.HeaderIdempotencyKey, "used"), 422, "idempotency_key_reused", ""},
		"rollback: blind":        {auth.Promoter, "POST", path + ":rollback", `{}`, nil, 428, "precondition_required", ""},
		"rollback: moved on":     {auth.Promoter, "POST", path + ":rollback", `{"generation":1}`, []string{"If-Match", `"2"`}, 412, "tag_moved", ""},
		"rollback: none before":  {auth.Promoter, "POST", path + ":rollback", `{}`, at1, 404, "not_found", ""},
		"rollback: no such tag":  {auth.Promoter, "POST", "/v1/tags/a/b:rollback", `{}`, at1, 404, "not_found", ""},
		"rollback: may not":      {auth.Viewer, "POST", path + ":rollback", `{}`, at1, 403, "forbidden", ""},
		"rollback: unknown":      {auth.Promoter, "POST", path + ":rollback", `{"to":1}`, at1, 400, "malformed", "to"},
		"another verb":           {auth.Promoter, "POST", path + ":delete", `{}`, at1, 404, "no_route", ""},
		"no verb":                {auth.Promoter, "POST", path, `{}`, at1, 404, "no_route", ""},
		"read: no such tag":      {auth.Viewer, "GET", "/v1/tags/flight-delay/x", "", nil, 404, "not_found", ""},
		"read: bad name":         {auth.Viewer, "GET", "/v1/tags/flight-delay/%00", "", nil, 400, "bad_name", ""},
		"read: no time":          {auth.Viewer, "GET", path + "?as_of=yesterday", "", nil, 400, "bad_query", "as_of"},
		"read: may not":          {auth.Producer, "GET", path, "", nil, 403, "forbidden", ""},
		"history: no such tag":   {auth.Viewer, "GET", "/v1/tags/flight-delay/x/history", "", nil, 404, "not_found", ""},
		"history: another query": {auth.Viewer, "GET", path + "/history?as_of=2026-01-01T00:00:00Z", "", nil, 400, "bad_query", ""},
		"list: limit":            {auth.Viewer, "GET", "/v1/tags?limit=0", "", nil, 400, "bad_query", ""},
		"another method":         {auth.Promoter, "DELETE", path, "", nil, 405, "method_not_allowed", ""},
	} {
		p := w.refuses(name, c)
		if name == "moved on" && (p.Current == nil || p.Current.Tag != "flight-delay/production" || p.Current.Generation != 1) {
			t.Errorf("current %+v", p.Current)
		}
	}
	if s := must(w.reg.Resolve(t.Context(), production()))(t); s.Generation != 1 {
		t.Errorf("moved to %+v", s)
	}
}

func TestTagsAreConditional(t *testing.T) {
	w := newWorld(t)
	id := w.publish("one")
	const path = "/v1/tags/flight-delay/production"
	put := w.do(w.tokens[auth.Promoter], "PUT", path, `{"arms":[{"package":"`+id.String()+`","weight":10000}]}`, "If-None-Match", "*")
	if put.status != http.StatusCreated || put.header.Get("ETag") != `"1"` {
		t.Errorf("put: %d %v", put.status, put.header)
	}
	for tag, want := range map[string]int{`"1"`: 304, `W/"1"`: 304, `"0", "1"`: 304, `"2"`: 200, ``: 200} {
		a := w.do(w.tokens[auth.Viewer], "GET", path, "", "If-None-Match", tag)
		if a.status != want || a.header.Get("ETag") != `"1"` || want == 304 && a.body != "" {
			t.Errorf("%s: %d %s", tag, a.status, a.body)
		}
	}
}

// A server that follows tags must see all of them, however many there are.
func TestTagsAreListedWhole(t *testing.T) {
	w := newWorld(t)
	c := w.as(auth.Promoter)
	id := w.publish("one")
	for i := range 120 {
		m := move(id, 0)
		m.Tag.Name = fmt.Sprintf("t%03d", i)
		must(w.reg.Promote(t.Context(), registry.TagMove{Tag: m.Tag, Arms: m.Arms, Actor: "x"}))(t)
	}
	if list := must(c.ListTags(t.Context()))(t); len(list) != 120 {
		t.Errorf("%d tags", len(list))
	}
	a := get[struct{ Tags []remote.Tag }](t, w.do(w.tokens[auth.Viewer], "GET", "/v1/tags?limit=7", ""), 200)
	if len(a.Tags) != 7 || a.Tags[0].Tag != "flight-delay/t000" {
		t.Errorf("%d tags", len(a.Tags))
	}
}

// Of many that start from one generation exactly one moves the tag.
func TestOneMoverWins(t *testing.T) {
	w := newWorld(t)
	c := w.as(auth.Promoter)
	id := w.publish("one")
	for round := range int64(5) {
		var wg sync.WaitGroup
		won := make(chan struct{}, 8)
		for range 8 {
			wg.Go(func() {
				switch s, err := c.MoveTag(t.Context(), move(id, round)); {
				case err == nil:
					won <- struct{}{}
				case !errors.Is(err, registry.ErrTagMoved) || s.Generation != round+1:
					t.Errorf("lost with %+v, %v", s, err)
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Errorf("round %d: %d won", round, len(won))
		}
	}
}
