package main

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/services/internal/auth"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// untouched is a body that nobody may read.
type untouched struct{ read bool }

func (u *untouched) Read([]byte) (int, error) {
	u.read = true
	return 0, errors.New("the body was read")
}

// refusedAs is what a problem says.
type refusedAs struct{ Code, Detail string }

// probe asks an operation with a credential, "" for none, and reports whether the body was touched.
func (p *planes) probe(plane string, o operation, credential string) (status int, said refusedAs, read bool) {
	p.t.Helper()
	body := &untouched{}
	r := httptest.NewRequest(o.method, "http://127.0.0.1"+example(p.t, o), body)
	r.ContentLength = 2
	if credential != "" {
		r.Header.Set("Authorization", credential)
	}
	w := httptest.NewRecorder()
	p.routers[plane].ServeHTTP(w, r)
	_ = json.Unmarshal(w.Body.Bytes(), &said) // a success says something else
	return w.Code, said, body.read
}

// example is the path of an operation with the examples of its parameters.
func example(t *testing.T, o operation) string {
	t.Helper()
	out := o.path
	for _, param := range o.params {
		if param["in"] == "path" {
			name := as[string](t, o.String(), param["name"])
			out = strings.ReplaceAll(out, "{"+name+"}", as[string](t, o.String()+" "+name, param["example"]))
		}
	}
	return out
}

// bearers are all who may ask: every role, and a job with the token of its run.
func (p *planes) bearers() []auth.Role { return append(auth.Roles(), auth.Job) }

func TestEveryRouteAsksWhoAndWhetherFirst(t *testing.T) {
	p, doc := newPlanes(t), readOpenAPI(t)
	for _, o := range doc.operations {
		for _, plane := range o.planes {
			t.Run(plane+" "+o.String(), func(t *testing.T) { p.guarded(t, plane, o) })
		}
	}
}

func (p *planes) guarded(t *testing.T, plane string, o operation) {
	if auth.Permission(o.permission) == auth.Public {
		if status, said, _ := p.probe(plane, o, ""); status == http.StatusUnauthorized || status == http.StatusForbidden {
			t.Errorf("without a credential: %d %+v", status, said)
		}
		return
	}
	admin := p.tokens[auth.Admin]
	for name, credential := range map[string]string{
		"no credential": "", "an unknown one": "Bearer sbx_admin_" + strings.Repeat("0", 49), "one of another scheme": "Basic " + admin,
		"a cut one": "Bearer " + admin[:len(admin)-1], "a forged job": "Bearer " + p.tokens[auth.Job] + "A",
	} {
		if status, said, read := p.probe(plane, o, credential); status != http.StatusUnauthorized || said.Code != "unauthenticated" || read {
			t.Errorf("%s: %d %+v, body read: %v", name, status, said, read)
		}
	}
	needs, allowed, named := "this needs the permission "+o.permission, 0, false
	for _, role := range p.bearers() {
		status, said, read := p.probe(plane, o, "Bearer "+p.tokens[role])
		lacks := said.Code == "forbidden" && strings.HasPrefix(said.Detail, "this needs the permission ")
		if (auth.Principal{Roles: []auth.Role{role}}).Can(auth.Permission(o.permission)) {
			allowed++
			if status == http.StatusUnauthorized || lacks {
				t.Errorf("%s has %s: %d %+v", role, o.permission, status, said)
			}
			continue
		}
		if status != http.StatusForbidden || !lacks || read {
			t.Errorf("%s lacks %s: %d %+v, body read: %v", role, o.permission, status, said, read)
		}
		named = named || said.Detail == needs
	}
	if allowed == 0 || !named {
		t.Errorf("%d roles have %q, and it is what others lack: %v", allowed, o.permission, named)
	}
}

// pattern is how a path is registered: the verb behind a name is told from it by the handler.
func pattern(o operation) string {
	return o.method + " " + regexp.MustCompile(`\{[^/]+\}:[a-z]+$`).ReplaceAllString(o.path, "{call}")
}

func TestRoutesAreDescribedAndTheOtherWayAround(t *testing.T) {
	p, doc := newPlanes(t), readOpenAPI(t)
	for plane, rt := range p.routers {
		described := map[string]string{}
		for _, o := range doc.operations {
			if slices.Contains(o.planes, plane) {
				described[pattern(o)] = o.permission
			}
		}
		registered := map[string]string{}
		for _, r := range rt.Routes() {
			registered[r.Pattern] = string(r.Permission)
		}
		for _, name := range slices.Sorted(maps.Keys(registered)) {
			// What a verb needs is the handler's to say: TestEveryRouteAsksWhoAndWhetherFirst asks it.
			if want, ok := described[name]; !ok {
				t.Errorf("%s: %s is not in openapi.yaml", plane, name)
			} else if want != registered[name] && !strings.HasSuffix(name, "{call}") {
				t.Errorf("%s: %s needs %s, openapi.yaml says %q", plane, name, registered[name], want)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(described)) {
			if _, ok := registered[name]; !ok {
				t.Errorf("%s: %s is in openapi.yaml only", plane, name)
			}
		}
	}
}

// A handler that tells verbs apart could know one that is not described: every word of its package is tried.
func TestEveryVerbIsDescribed(t *testing.T) {
	p, doc := newPlanes(t), readOpenAPI(t)
	for prefix, dir := range map[string]string{
		"/v1/runs/015f951c-5870-5cde-a4a0-0bb9cb3f6bf1": "../training", "/v1/tags/flight-delay/production": "../registryapi",
	} {
		known := 0
		for _, word := range texts(t, dir) {
			r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1"+prefix+":"+word, strings.NewReader("{}"))
			r.Header.Set("Authorization", "Bearer "+p.tokens[auth.Admin])
			w := httptest.NewRecorder()
			p.routers[controlPlane].ServeHTTP(w, r)
			exists := !strings.Contains(w.Body.String(), `"no_route"`)
			if described := doc.operation(controlPlane, http.MethodPost, prefix+":"+word) != nil; exists != described {
				t.Errorf("%s:%s is served: %v, in openapi.yaml: %v", prefix, word, exists, described)
			}
			if exists {
				known++
			}
		}
		if known == 0 {
			t.Errorf("no word of %s is a verb", dir)
		}
	}
}

// texts are the texts in the sources of a package that may be a verb.
func texts(t *testing.T, dir string) []string {
	t.Helper()
	found := map[string]bool{}
	for _, name := range got(filepath.Glob(filepath.Join(dir, "*.go")))(t) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f := got(parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution))(t)
		ast.Inspect(f, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if s, err := strconv.Unquote(lit.Value); err == nil && regexp.MustCompile(`^[a-z][a-z_-]*$`).MatchString(s) {
					found[s] = true
				}
			}
			return true
		})
	}
	return slices.Sorted(maps.Keys(found))
}

// The planes of this test mount what the program mounts.
func TestPlanesMountWhatTheProgramMounts(t *testing.T) {
	calls := 0
	for _, name := range got(filepath.Glob("wire*.go"))(t) {
		calls += strings.Count(string(got(os.ReadFile(name))(t)), ".Routes(rt)")
	}
	if calls != mounted {
		t.Errorf("wire*.go mounts %d services, newPlanes %d", calls, mounted)
	}
	rt := got(newPlanes(t).app.router())(t)
	want := []httpapi.Route{
		{Pattern: "GET /livez", Permission: auth.Public}, {Pattern: "GET /readyz", Permission: auth.Public},
		{Pattern: "GET /metrics", Permission: auth.MetricsRead},
	}
	if have := rt.Routes(); !slices.Equal(have, want) {
		t.Errorf("every listener has %v, want %v", have, want)
	}
}
