package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// schemaAt is a schema, and the examples that must fit it.
type schemaAt struct {
	at       string
	schema   node
	examples []any
}

// schemas walks every schema of an operation that is not a component.
func (o operation) schemas(t *testing.T) []schemaAt {
	t.Helper()
	var out []schemaAt
	add := func(at string, n node) {
		if schema, ok := n["schema"].(node); ok {
			out = append(out, schemaAt{at, schema, slices.Concat(examples(t, at, n), list(schema, "examples"))})
		}
	}
	content := func(at string, n node) {
		for media, m := range object(n, "content") {
			add(at+" "+media, as[node](t, at, m))
		}
	}
	for _, p := range o.params {
		add(fmt.Sprintf("%s parameter %s", o, p["name"]), p)
	}
	content(o.String()+" request", object(o.doc, "requestBody"))
	for status, r := range object(o.doc, "responses") {
		at := o.String() + " " + status
		content(at, as[node](t, at, r))
		for name, h := range object(r.(node), "headers") {
			add(at+" header "+name, as[node](t, at, h))
		}
	}
	return out
}

// examples are those beside a schema.
func examples(t *testing.T, at string, n node) []any {
	t.Helper()
	var out []any
	if one, ok := n["example"]; ok {
		out = append(out, one)
	}
	for _, name := range sortedKeys(object(n, "examples")) {
		out = append(out, as[node](t, at, object(n, "examples")[name])["value"])
	}
	return out
}

func TestReferencesLeadSomewhere(t *testing.T) {
	d := readOpenAPI(t)
	for name := range d.files {
		d.inline(name, d.files[name]["components"], nil) // those that no path reaches, too
	}
	for _, f := range d.faults {
		t.Error(f)
	}
	d = readOpenAPI(t)
	for _, file := range sortedKeys(d.files) {
		for group, list := range object(d.files[file], "components") {
			for name := range list.(node) {
				if at := file + "#/components/" + group + "/" + name; group != "securitySchemes" && !d.used[at] {
					t.Errorf("nothing refers to %s", at)
				}
			}
		}
	}
}

// pathItem is what a file calls the description of a path: its words, so that a reference to it needs no escapes.
func pathItem(p string) string {
	return strings.Trim(regexp.MustCompile(`[/:{}]+`).ReplaceAllString(p, "."), ".")
}

func TestPathsAreNamedAlike(t *testing.T) {
	for p, item := range object(readOpenAPI(t).root, "paths") {
		if ref, _ := item.(node)["$ref"].(string); !strings.HasSuffix(ref, ".yaml#/components/pathItems/"+pathItem(p)) {
			t.Errorf("%s is %s", p, ref)
		}
	}
}

// Generators of clients read references more narrowly than JSON Schema has it, and name classes by titles.
func TestGeneratorsTakeTheDescription(t *testing.T) {
	d, titles := readOpenAPI(t), map[any]string{}
	for _, file := range sortedKeys(d.files) {
		references(d.files[file], func(ref string) {
			if _, pointer, _ := strings.Cut(ref, "#"); strings.ContainsAny(ref, "{}%~") || pointer == "" {
				t.Errorf("%s: %s needs an escape, or names a whole file", file, ref)
			}
			if strings.HasPrefix(ref, "#/components/parameters/") {
				t.Errorf("%s: %s does not name its file: parsers look for such a parameter in openapi.yaml", file, ref)
			}
		})
		for name, v := range object(object(d.files[file], "components"), "schemas") {
			schema := as[node](t, name, v)
			title, at := schema["title"], file+" "+name
			if schema["type"] == "object" && title == nil {
				t.Errorf("%s has no title: its class would be named after where it is used", at)
			}
			if other, taken := titles[title]; taken && title != nil {
				t.Errorf("%s and %s have one title", at, other)
			}
			titles[title] = at
		}
	}
}

// references calls do for every reference below v.
func references(v any, do func(ref string)) {
	switch v := v.(type) {
	case node:
		for name, member := range v {
			if ref, ok := member.(string); ok && name == "$ref" {
				do(ref)
			}
			references(member, do)
		}
	case []any:
		for _, item := range v {
			references(item, do)
		}
	}
}

func TestSchemasCompileAndExamplesFit(t *testing.T) {
	d := readOpenAPI(t)
	var all []schemaAt
	for _, file := range sortedKeys(d.files) {
		for name, schema := range object(object(d.files[file], "components"), "schemas") {
			n := as[node](t, name, d.inline(file, schema, nil))
			all = append(all, schemaAt{file + " " + name, n, list(n, "examples")})
		}
	}
	for _, o := range d.operations {
		all = append(all, o.schemas(t)...)
	}
	checked := 0
	for _, s := range all {
		compiled := compiled(t, s.at, s.schema)
		for _, e := range s.examples {
			checked++
			if err := compiled.Check(asJSON(t, e)); err != nil {
				t.Errorf("example of %s: %v", s.at, err)
			}
		}
	}
	if checked < 200 {
		t.Errorf("only %d examples: the walk is broken", checked)
	}
}

// Whoever reads about a body can see one.
func TestBodiesHaveExamples(t *testing.T) {
	for _, o := range readOpenAPI(t).operations {
		for _, s := range o.schemas(t) {
			body := strings.HasSuffix(s.at, "json")
			if body && len(s.examples) == 0 {
				t.Errorf("no example: %s", s.at)
			}
		}
	}
}

// What every operation must say, so that one is like the other.
func TestOperationsAreComplete(t *testing.T) {
	d := readOpenAPI(t)
	if v := as[string](t, "openapi", d.root["openapi"]); !strings.HasPrefix(v, "3.1.") {
		t.Errorf("version %s", v)
	}
	tags, ids := map[any]bool{}, map[any]string{}
	for _, v := range list(d.root, "tags") {
		tags[as[node](t, "tags", v)["name"]] = true
	}
	for _, o := range d.operations {
		if other := ids[o.doc["operationId"]]; other != "" || o.doc["operationId"] == nil || o.doc["summary"] == nil {
			t.Errorf("%s: operationId or summary is missing, or %s has it too", o, other)
		}
		ids[o.doc["operationId"]] = o.String()
		for _, tag := range list(o.doc, "tags") {
			if !tags[tag] {
				t.Errorf("%s: tag %v is not declared", o, tag)
			}
		}
		_, open := o.doc["security"]
		want := []string{"421", "500"}
		if public := o.permission == "public"; public != open {
			t.Errorf("%s: x-permission %s, security %v", o, o.permission, o.doc["security"])
		} else if !public {
			want = append(want, "401", "403")
		}
		if o.doc["requestBody"] != nil {
			want = append(want, "400", "413")
		}
		for _, status := range want {
			if object(o.doc, "responses")[status] == nil {
				t.Errorf("%s does not say when it answers %s", o, status)
			}
		}
		o.checkResponses(t)
		o.checkParameters(t)
	}
}

// checkResponses wants the headers that all answers have, and problem documents for errors.
func (o operation) checkResponses(t *testing.T) {
	t.Helper()
	for status, v := range object(o.doc, "responses") {
		r := as[node](t, o.String(), v)
		if object(r, "headers")["Signalbox-Request-Id"] == nil || r["description"] == nil {
			t.Errorf("%s %s: no Signalbox-Request-Id or no description", o, status)
		}
		if problem := object(r, "content")["application/problem+json"] != nil; problem != (status >= "400") && o.doc["tags"].([]any)[0] != "protocol" {
			t.Errorf("%s %s: problem document: %v", o, status, problem)
		}
		if again := object(r, "headers")["Retry-After"] != nil; (status == "429" || status == "503") && !again && o.doc["tags"].([]any)[0] != "protocol" {
			t.Errorf("%s %s: no Retry-After", o, status)
		}
	}
}

// checkParameters wants those of the path, each once, and none that OpenAPI ignores.
func (o operation) checkParameters(t *testing.T) {
	t.Helper()
	var have []string
	seen := map[string]bool{}
	for _, p := range o.params {
		name, in := as[string](t, o.String(), p["name"]), as[string](t, o.String(), p["in"])
		if seen[in+" "+name] || p["schema"] == nil || in == "path" != (p["required"] == true && in == "path") {
			t.Errorf("%s: parameter %s is there twice, has no schema, or is not required", o, name)
		}
		if seen[in+" "+name] = true; in == "path" {
			have = append(have, "{"+name+"}")
		}
		if in == "header" && slices.Contains([]string{"accept", "content-type", "authorization"}, strings.ToLower(name)) {
			t.Errorf("%s: OpenAPI ignores a parameter %s", o, name)
		}
	}
	if want := regexp.MustCompile(`\{[^}]+\}`).FindAllString(o.path, -1); !slices.Equal(have, want) {
		t.Errorf("%s: parameters %v", o, have)
	}
	if o.method == "POST" && !strings.HasPrefix(o.path, "/v1/predict/") && !seen["header Idempotency-Key"] {
		t.Errorf("%s takes no Idempotency-Key", o)
	}
}
