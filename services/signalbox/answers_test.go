package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/services/internal/auth"
)

// observer asks real servers and holds every answer against the description.
type observer struct {
	*planes
	doc  *openAPI
	seen map[string][]string // operations with the statuses that they gave
}

// answer is a response that was read, and that the description has.
type answer struct {
	status int
	header http.Header
	body   string
}

// into decodes a body.
func (a answer) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
}

// request is a call of one plane; the control plane where it does not say.
type request struct {
	plane, token string // token: of the admin where it is empty
	method, path string
	body         string
	header       map[string]string
}

// ask sends r, wants a status, and checks that openapi.yaml told of it: of the operation, the parameters, the body that
// was taken, the status, the headers and the body that came.
func (o *observer) ask(status int, r request) answer {
	o.t.Helper()
	a := o.send(r)
	if a.status != status {
		o.t.Fatalf("%s %s: %d, want %d: %s", r.method, r.path, a.status, status, a.body)
	}
	u := got(url.Parse(r.path))(o.t)
	op := o.doc.operation(cmp.Or(r.plane, controlPlane), r.method, u.Path)
	if op == nil {
		o.t.Fatalf("%s %s is not described", r.method, r.path)
	}
	at := fmt.Sprintf("%s %s: %d", r.method, r.path, a.status)
	for name := range u.Query() {
		if !slices.ContainsFunc(op.params, func(p node) bool { return p["in"] == "query" && p["name"] == name }) {
			o.t.Errorf("%s: parameter %s is not described", at, name)
		}
	}
	if taken := object(op.doc, "requestBody"); a.status < 300 && a.status != http.StatusMultiStatus && taken != nil {
		o.checkBody(at+" request", taken, cmp.Or(r.header["Content-Type"], "application/json"), r.body, false)
	}
	said, ok := object(op.doc, "responses")[fmt.Sprint(a.status)].(node)
	if !ok {
		o.t.Errorf("%s: the status is not described", at)
		return a
	}
	if problem := (struct{ Errors []any }{}); strings.Contains(a.body, `"code":"invalid"`) {
		if a.into(o.t, &problem); len(problem.Errors) == 0 {
			o.t.Errorf("%s: a body that is wrong, and no errors: %s", at, a.body)
		}
	}
	o.checkHeaders(at, said, a.header)
	o.checkBody(at, said, a.header.Get("Content-Type"), a.body, true)
	o.seen[op.String()] = append(o.seen[op.String()], fmt.Sprint(a.status))
	return a
}

func (o *observer) send(r request) answer {
	o.t.Helper()
	q := got(http.NewRequestWithContext(o.t.Context(), r.method, o.served[cmp.Or(r.plane, controlPlane)]+r.path, strings.NewReader(r.body)))(o.t)
	q.Header.Set("Authorization", "Bearer "+cmp.Or(r.token, o.tokens[auth.Admin]))
	for name, value := range r.header {
		q.Header.Set(name, value)
	}
	resp := got(http.DefaultClient.Do(q))(o.t)
	defer resp.Body.Close()
	return answer{resp.StatusCode, resp.Header, string(got(io.ReadAll(resp.Body))(o.t))}
}

// checkHeaders wants the headers that are required, in their form, and none of ours that is not described.
func (o *observer) checkHeaders(at string, said node, have http.Header) {
	o.t.Helper()
	described := map[string]bool{}
	for name, v := range object(said, "headers") {
		h := as[node](o.t, at, v)
		described[http.CanonicalHeaderKey(name)] = true
		text := have.Get(name)
		if text == "" {
			if h["required"] == true {
				o.t.Errorf("%s: no header %s", at, name)
			}
			continue
		}
		value := any(text)
		if schema := object(h, "schema"); schema["type"] == "integer" {
			value = json.Number(text)
		}
		if err := compiled(o.t, at+" header "+name, h["schema"]).Check(asJSON(o.t, value)); err != nil {
			o.t.Errorf("%s: header %s: %v", at, name, err)
		}
	}
	for name := range have {
		ours := strings.HasPrefix(name, "Signalbox-") || slices.Contains([]string{"Etag", "Location", "Retry-After", "Www-Authenticate", "Cache-Control", "Accept-Encoding"}, name)
		if ours && !described[name] {
			o.t.Errorf("%s: header %s is not described", at, name)
		}
	}
}

// checkBody wants a body of a media type that is described, and one that fits. With closed it may have no member that
// is not described: clients ignore those, but whoever writes the description should not.
func (o *observer) checkBody(at string, said node, contentType, body string, closed bool) {
	o.t.Helper()
	content := object(said, "content")
	if len(content) == 0 {
		if body != "" {
			o.t.Errorf("%s: a body that is not described: %s", at, body)
		}
		return
	}
	media, _, _ := strings.Cut(contentType, ";")
	m, ok := content[media].(node)
	if !ok {
		o.t.Errorf("%s: content type %q is not described", at, contentType)
		return
	}
	if !strings.HasSuffix(media, "json") {
		return // a text
	}
	schema := m["schema"]
	if closed {
		schema = sealed(schema)
	}
	if err := compiled(o.t, at, schema).Check([]byte(body)); err != nil {
		o.t.Errorf("%s: %v\n%s", at, err, body)
	}
}

// sealed is a schema whose objects have the members that are listed and no others.
func sealed(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = sealed(v[i])
		}
		return out
	case node:
		out := node{}
		for k := range v {
			switch k {
			case "properties":
				members := node{}
				for name, schema := range object(v, k) {
					members[name] = sealed(schema)
				}
				out[k] = members
			case "items", "additionalProperties", "anyOf":
				out[k] = sealed(v[k])
			default:
				out[k] = v[k]
			}
		}
		if _, says := v["additionalProperties"]; v["properties"] != nil && !says {
			out["additionalProperties"] = false
		}
		return out
	}
	return v
}

func TestAnswersAreAsDescribed(t *testing.T) {
	o := &observer{planes: newPlanes(t), doc: readOpenAPI(t), seen: map[string][]string{}}
	o.service()
	o.specs()
	o.events()
	run := o.trained()
	o.readRuns(run)
	o.searched()
	o.readPackages(run)
	o.moveTags(run.pkg)
	o.predict(run.pkg)
	o.lineage(run.pkg)
	for _, op := range o.doc.operations {
		if !slices.ContainsFunc(o.seen[op.String()], func(status string) bool { return status < "300" }) {
			t.Errorf("%s was never seen to succeed, but %v", op, o.seen[op.String()])
		}
	}
}
