package remote_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/remote"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

const token = "sbx_secret"

// serve answers one route and hands the request and its body to see.
func serve(t *testing.T, pattern string, see func(r *http.Request, body string), answer http.HandlerFunc) *remote.Client {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Authorization"); got != "Bearer "+token {
			t.Errorf("Authorization is %q", got)
		}
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if see != nil {
			see(r, string(b))
		}
		answer(w, r)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return client(t, s.URL+"/")
}

func client(t *testing.T, url string) *remote.Client {
	t.Helper()
	c, err := remote.New(remote.Config{URL: url, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func text(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func asJSON(t *testing.T, v any) http.HandlerFunc {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text(http.StatusOK, string(b))
}

var (
	flights = registry.Tag{Model: "flights", Name: "production"}
	pkg     = cas.Sum([]byte("package"))
	state   = registry.TagState{
		Tag: flights, Arms: []registry.Arm{{Package: pkg, Weight: 10000}}, Generation: 7, Actor: "kelley", Reason: "better",
		At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
)

func TestTagsTravelWithTheirNames(t *testing.T) {
	list := map[string]any{"tags": []remote.Tag{remote.TagOf(state)}}
	got, err := serve(t, "GET /v1/tags", nil, asJSON(t, list)).ListTags(t.Context())
	if err != nil || len(got) != 1 || got[0].Tag != flights || got[0].Generation != 7 || got[0].Arms[0] != state.Arms[0] || !got[0].At.Equal(state.At) {
		t.Errorf("got %+v, %v", got, err)
	}
	history := map[string]any{"generations": []remote.Tag{remote.TagOf(state)}}
	got, err = serve(t, "GET /v1/tags/flights/production/history", nil, asJSON(t, history)).TagHistory(t.Context(), flights)
	if err != nil || len(got) != 1 || got[0].Tag != flights {
		t.Errorf("got %+v, %v", got, err)
	}
	one, err := serve(t, "GET /v1/tags/flights/production", nil, asJSON(t, remote.TagOf(state))).Tag(t.Context(), flights)
	if err != nil || one.Tag != flights {
		t.Errorf("got %+v, %v", one, err)
	}
}

func TestMoveTagComparesAndSwaps(t *testing.T) {
	for _, c := range []struct {
		expect               int64
		ifMatch, ifNoneMatch string
	}{{0, "", "*"}, {6, `"6"`, ""}} {
		see := func(r *http.Request, body string) {
			if got := r.Header.Get("If-Match"); got != c.ifMatch {
				t.Errorf("If-Match is %q, want %q", got, c.ifMatch)
			}
			if got := r.Header.Get("If-None-Match"); got != c.ifNoneMatch {
				t.Errorf("If-None-Match is %q, want %q", got, c.ifNoneMatch)
			}
			if got := r.Header.Get("Idempotency-Key"); got != "op-1" {
				t.Errorf("Idempotency-Key is %q", got)
			}
			if !strings.Contains(body, pkg.String()) || !strings.Contains(body, `"reason":"better"`) || strings.Contains(body, "actor") {
				t.Errorf("body is %s", body)
			}
		}
		s := serve(t, "PUT /v1/tags/flights/production", see, asJSON(t, remote.TagOf(state)))
		got, err := s.MoveTag(t.Context(), registry.TagMove{Tag: flights, Expect: c.expect, Arms: state.Arms, Actor: "me", Reason: "better", Op: "op-1"})
		if err != nil || got.Generation != 7 {
			t.Errorf("got %+v, %v", got, err)
		}
	}
}

func TestMovedTagIsTheRegistrysError(t *testing.T) {
	body, err := json.Marshal(map[string]any{
		"type": "https://signalbox.dev/problems/tag_moved", "title": "Precondition Failed", "detail": "it is at 7", "status": 412,
		"request_id": "r-1", "current": remote.TagOf(state),
	})
	if err != nil {
		t.Fatal(err)
	}
	c := serve(t, "PUT /v1/tags/flights/production", nil, text(http.StatusPreconditionFailed, string(body)))
	now, err := c.MoveTag(t.Context(), registry.TagMove{Tag: flights, Expect: 5, Arms: state.Arms})
	var refused *remote.Error
	if !errors.Is(err, registry.ErrTagMoved) || !errors.As(err, &refused) || refused.Code != "tag_moved" || refused.RequestID != "r-1" || refused.Detail != "it is at 7" {
		t.Errorf("got %v", err)
	}
	if now.Generation != 7 || now.Tag != flights {
		t.Errorf("current state is %+v", now)
	}
	if errors.Is(err, registry.ErrNotFound) || refused.Temporary() {
		t.Errorf("%v is taken for another error", err)
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		check  func(e *remote.Error) bool
	}{
		{"not found", 404, `{"type":"https://signalbox.dev/problems/not_found"}`, func(e *remote.Error) bool {
			return errors.Is(e, registry.ErrNotFound) && e.Code == "not_found" && e.Title == "Not Found"
		}},
		{"overload", 503, `{"type":"https://signalbox.dev/problems/overloaded","detail":"later"}`, func(e *remote.Error) bool {
			return e.Temporary() && e.RetryAfter == 2*time.Second && strings.Contains(e.Error(), "later")
		}},
		{"a proxy's page", 502, `<html>bad gateway`, func(e *remote.Error) bool { return e.Temporary() && e.Code == "" && e.Status == 502 }},
		{"a redirect", 302, ``, func(e *remote.Error) bool { return e.Status == 302 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, "GET /v1/tags", nil, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Retry-After", "2")
				w.Header().Set("Location", "/elsewhere")
				text(c.status, c.body)(w, r)
			})
			_, err := s.ListTags(t.Context())
			var e *remote.Error
			if !errors.As(err, &e) || !c.check(e) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestManifestIsChecked(t *testing.T) {
	const manifest = `{"layers":[]}`
	id := cas.Sum([]byte(manifest))
	got, err := serve(t, "GET /v1/packages/"+id.String(), nil, text(200, manifest)).Package(t.Context(), id)
	if err != nil || string(got) != manifest {
		t.Errorf("got %s, %v", got, err)
	}
	_, err = serve(t, "GET /v1/packages/"+id.String(), nil, text(200, manifest+" ")).Package(t.Context(), id)
	if !errors.Is(err, cas.ErrCorrupt) {
		t.Errorf("got %v, want ErrCorrupt", err)
	}
}

func TestFetchSendsTheSignedHeadersAndNoToken(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("the token went to the object store")
		}
		if r.Header.Get("X-Amz-Checksum-Mode") != "ENABLED" || r.URL.RawQuery != "sig=1" {
			t.Errorf("got %v %v", r.URL, r.Header)
		}
		_, _ = io.WriteString(w, "bytes")
	}))
	t.Cleanup(s.Close)
	c := client(t, "http://127.0.0.1:1")
	get := bucket.Signed{Method: "GET", URL: s.URL + "/blob?sig=1", Header: map[string][]string{"x-amz-checksum-mode": {"ENABLED"}}}
	body, err := c.Fetch(t.Context(), get)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if b, err := io.ReadAll(body); err != nil || string(b) != "bytes" {
		t.Errorf("got %q, %v", b, err)
	}
	get.Method = "PUT"
	if _, err := c.Fetch(t.Context(), get); err == nil {
		t.Error("fetched with a signed write")
	}
}

func TestPackageFiles(t *testing.T) {
	const body = `{"files":[{"path":"model.txt","mediaType":"x","digest":"%","size":3,"get":{"method":"GET","url":"http://s/","expires":"2026-01-01T00:00:00Z"}}],` +
		`"model":"flights","policy":{"log_inputs":true}}`
	c := serve(t, "GET /v1/packages/"+pkg.String()+"/files", nil, text(200, strings.Replace(body, "%", pkg.String(), 1)))
	f, err := c.PackageFiles(t.Context(), pkg)
	if err != nil || len(f.Files) != 1 || f.Files[0].Path != "model.txt" || f.Files[0].Digest != pkg || f.Files[0].Get.URL != "http://s/" ||
		f.Model != "flights" || !f.Policy.LogInputs {
		t.Errorf("got %+v, %v", f, err)
	}
}

func TestSpecs(t *testing.T) {
	docs := []spec.Document{{APIVersion: spec.APIVersion, Kind: spec.KindModel, Metadata: spec.Metadata{Name: "flights"}, Spec: json.RawMessage(`{}`)}}
	see := func(r *http.Request, body string) {
		if r.URL.RawQuery != "dry-run=true" || !strings.HasPrefix(body, `{"documents":[{"apiVersion":`) {
			t.Errorf("got %s %s", r.URL, body)
		}
	}
	c := serve(t, "POST /v1/specs", see, text(200, `{"applied":[{"kind":"Model","name":"flights","result":"created","generation":1}]}`))
	applied, err := c.Apply(t.Context(), docs, true)
	if err != nil || len(applied) != 1 || applied[0].Result != registry.ApplyCreated {
		t.Errorf("got %+v, %v", applied, err)
	}
	c = serve(t, "GET /v1/specs", func(r *http.Request, _ string) {
		if r.URL.Query().Get("kind") != "Model" {
			t.Errorf("got %s", r.URL)
		}
	}, text(200, `{"specs":[{"kind":"Model","name":"flights","spec":{}}]}`))
	if specs, err := c.ListSpecs(t.Context(), spec.KindModel); err != nil || len(specs) != 1 || specs[0].Name != "flights" {
		t.Errorf("got %+v, %v", specs, err)
	}
}

const runID = "9081e64f-b2c0-455e-bcaa-c1c211fa124b"

func TestRuns(t *testing.T) {
	id, err := registry.ParseRunID(runID)
	if err != nil {
		t.Fatal(err)
	}
	c := serve(t, "POST /train", func(r *http.Request, body string) {
		if r.Header.Get("Idempotency-Key") != "k" || body != `{"model_name":"flights"}` {
			t.Errorf("got %v %s", r.Header, body)
		}
	}, text(200, `"`+runID+`"`))
	if got, err := c.SubmitTrain(t.Context(), json.RawMessage(`{"model_name":"flights"}`), "k"); err != nil || got != id {
		t.Errorf("got %v, %v", got, err)
	}
	c = serve(t, "GET /v1/runs", func(r *http.Request, _ string) {
		if got := r.URL.RawQuery; got != "limit=5&model=flights&state=queued%2Crunning" {
			t.Errorf("got %s", got)
		}
	}, text(200, `{"runs":[{"id":"`+runID+`","state":"running"}]}`))
	f := registry.RunFilter{Model: "flights", States: []registry.RunState{registry.RunQueued, registry.RunRunning}, Limit: 5}
	if runs, err := c.ListRuns(t.Context(), f); err != nil || len(runs) != 1 || runs[0].ID != id || runs[0].State != registry.RunRunning {
		t.Errorf("got %+v, %v", runs, err)
	}
	c = serve(t, "POST /v1/runs/"+runID+":cancel", nil, text(200, `{"id":"`+runID+`","state":"cancelled"}`))
	if run, err := c.CancelRun(t.Context(), id); err != nil || run.State != registry.RunCancelled {
		t.Errorf("got %+v, %v", run, err)
	}
}

func TestFollowLogs(t *testing.T) {
	id, err := registry.ParseRunID(runID)
	if err != nil {
		t.Fatal(err)
	}
	follow := func(stream string, after int64) (registry.RunState, int64, string, error) {
		c := serve(t, "GET /v1/runs/"+runID+"/logs", func(r *http.Request, _ string) {
			if r.Header.Get("Accept") != "text/event-stream" {
				t.Errorf("got %v", r.Header)
			}
			if got := r.Header.Get("Last-Event-ID"); after > 0 && got != "4" {
				t.Errorf("Last-Event-ID is %q", got)
			}
		}, text(200, stream))
		var out strings.Builder
		state, next, err := c.FollowLogs(t.Context(), id, after, &out)
		return state, next, out.String(), err
	}
	state, next, out, err := follow("id: 4\ndata: one\n\n: beat\n\nid: 8\ndata: two\n\nevent: end\ndata: complete\n\n", 0)
	if err != nil || state != registry.RunComplete || next != 8 || out != "one\ntwo\n" {
		t.Errorf("got %q %d %q %v", state, next, out, err)
	}
	_, next, _, err = follow("id: 8\ndata: two\n\nid: 12\ndata: thr", 4)
	if !errors.Is(err, remote.ErrCutOff) || next != 8 {
		t.Errorf("got %d, %v", next, err)
	}
}

func TestEmit(t *testing.T) {
	ev, err := events.New(events.TypeTagMoved, "/test", "flights/production", "id-1", time.Now(), events.TagMoved{Tag: "flights/production"})
	if err != nil {
		t.Fatal(err)
	}
	c := serve(t, "POST /v1/events", func(r *http.Request, body string) {
		if r.Header.Get("Content-Type") != "application/cloudevents-batch+json" || !strings.Contains(body, `"id":"id-1"`) || body[0] != '[' {
			t.Errorf("got %v %s", r.Header, body)
		}
	}, text(207, `{"results":[{"index":0,"id":"id-1","status":202,"position":"t/0/1"}]}`))
	got, err := c.Emit(t.Context(), []events.Event{ev})
	if err != nil || len(got) != 1 || got[0].Position != "t/0/1" || got[0].Status != 202 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestPredict(t *testing.T) {
	c := serve(t, "POST /v1/predict/flights/production", func(r *http.Request, body string) {
		if r.Header.Get("Signalbox-Min-Generation") != "7" || r.Header.Get("Signalbox-Key") != "me" || r.URL.RawQuery != "strict=true" || body != `{"rows":[{"x":1}]}` {
			t.Errorf("got %s %v %s", r.URL, r.Header, body)
		}
	}, text(200, `{"predictions":[{"p":0.5}],"package":"`+pkg.String()+`","generation":7,"prediction_ids":["a"]}`))
	p, err := c.Predict(t.Context(), flights, []json.RawMessage{json.RawMessage(`{"x":1}`)}, remote.PredictOptions{MinGeneration: 7, Key: "me", Strict: true})
	if err != nil || p.Package != pkg || p.Generation != 7 || string(p.Predictions[0]) != `{"p":0.5}` {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestConfigFaultsAreListed(t *testing.T) {
	for _, u := range []string{"", "127.0.0.1:7700", "ftp://x", "http://user:pass@x", "http://x?y=1"} {
		_, err := remote.New(remote.Config{URL: u, Token: "a b", Timeout: -1})
		for _, want := range []string{"URL", "Token", "Timeout"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: got %v, want %s named", u, err, want)
			}
		}
	}
}
