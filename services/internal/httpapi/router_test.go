package httpapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
)

func newRouter(t *testing.T) (*Router, string) {
	t.Helper()
	text, tok, err := auth.NewToken("viewer", auth.Viewer)
	if err != nil {
		t.Fatal(err)
	}
	a, err := auth.New([]auth.Token{tok}, []byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	rt, err := NewRouter(Config{Auth: a})
	if err != nil {
		t.Fatal(err)
	}
	return rt, text
}

func do(rt http.Handler, method, path, token string) (*httptest.ResponseRecorder, map[string]any) {
	r := httptest.NewRequest(method, "http://127.0.0.1"+path, strings.NewReader(`{"a":1,"b":2}`))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	rt.ServeHTTP(w, r)
	var body map[string]any
	_ = json.Unmarshal(w.Body.Bytes(), &body) // not every answer is JSON
	return w, body
}

func TestErrorsBecomeProblems(t *testing.T) {
	rt, token := newRouter(t)
	secret := errors.New("dial 10.1.2.3: password is hunter2")
	for path, err := range map[string]error{
		"/fault":  Fault(http.StatusConflict, "fenced", "somebody else owns it").With("missing", []int{1}).RetryAfter(1500 * time.Millisecond),
		"/absent": registry.ErrNotFound,
		"/secret": secret,
	} {
		rt.Handle("GET "+path, auth.RunsRead, func(http.ResponseWriter, *http.Request) error { return err })
	}
	rt.Handle("GET /panic", auth.RunsRead, func(http.ResponseWriter, *http.Request) error { panic("hunter2") })

	for _, c := range []struct {
		path, code, retry string
		status            int
	}{
		{"/fault", "fenced", "2", 409}, {"/absent", "not_found", "", 404}, {"/secret", "internal", "", 500},
		{"/panic", "internal", "", 500}, {"/nowhere", "no_route", "", 404},
	} {
		w, body := do(rt, "GET", c.path, token)
		if w.Code != c.status || body["code"] != c.code || w.Header().Get("Retry-After") != c.retry ||
			w.Header().Get("Content-Type") != "application/problem+json" || body["request_id"] == "" {
			t.Errorf("%s: %d %v %v", c.path, w.Code, w.Header(), body)
		}
		if strings.Contains(w.Body.String(), "hunter2") || strings.Contains(w.Body.String(), "10.1.2.3") {
			t.Errorf("%s leaks: %s", c.path, w.Body)
		}
	}
	if w, body := do(rt, "POST", "/fault", token); w.Code != 405 || body["code"] != "method_not_allowed" || w.Header().Get("Allow") == "" {
		t.Errorf("wrong method: %d %v", w.Code, body)
	}
}

func TestPermissionsAreEnforced(t *testing.T) {
	rt, token := newRouter(t)
	ok := func(w http.ResponseWriter, r *http.Request) error {
		return JSON(w, 200, auth.PrincipalFrom(r.Context()).Name)
	}
	rt.Handle("GET /read", auth.RunsRead, ok)
	rt.Handle("GET /write", auth.TagsPromote, ok)
	rt.Handle("GET /open", auth.Public, ok)
	for _, c := range []struct {
		path, token string
		status      int
	}{
		{"/read", token, 200}, {"/read", "", 401}, {"/read", token + "x", 401}, {"/write", token, 403}, {"/open", "", 200},
	} {
		if w, _ := do(rt, "GET", c.path, c.token); w.Code != c.status {
			t.Errorf("%s: %d, want %d", c.path, w.Code, c.status)
		}
	}
	if len(rt.Routes()) != 3 {
		t.Errorf("routes %v", rt.Routes())
	}
}

func TestForeignHostNamesAreRefused(t *testing.T) {
	rt, _ := newRouter(t)
	rt.cfg.Hosts = []string{"models.example.org"}
	rt.Handle("GET /open", auth.Public, func(w http.ResponseWriter, _ *http.Request) error { return JSON(w, 200, true) })
	for host, want := range map[string]int{
		"127.0.0.1:7700": 200, "localhost": 200, "[::1]:80": 200, "models.example.org": 200, "evil.example.org": 421, "10.0.0.1": 421,
	} {
		r := httptest.NewRequest("GET", "/open", nil)
		r.Host = host
		w := httptest.NewRecorder()
		rt.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("host %s: %d, want %d", host, w.Code, want)
		}
	}
}

func TestReadJSON(t *testing.T) {
	type doc struct {
		A int `json:"a"`
	}
	for body, want := range map[string]int{
		`{"a":1}`: 0, `{"a":1,"b":2}`: 400, `{"a":"x"}`: 400, `{"a":1} {}`: 400, `{"a":`: 400, ``: 400, `{"a":1      }`: 413,
	} {
		_, err := ReadJSON[doc](httptest.NewRequest("POST", "/", strings.NewReader(body)), 12)
		var p *Problem
		if errors.As(err, &p); want == 0 && err != nil || want != 0 && (p == nil || p.Status != want && len(body) <= 12) {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func TestRouteWithoutPermissionCannotExist(t *testing.T) {
	rt, _ := newRouter(t)
	defer func() {
		if recover() == nil {
			t.Error("registered")
		}
	}()
	rt.Handle("GET /x", "", nil)
}
