package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/signalbox-ml/signalbox/schemas"
)

// The planes, as openapi.yaml calls its servers.
const (
	controlPlane = "control plane"
	dataPlane    = "data plane"
)

// node is an object of the description.
type node = map[string]any

// openAPI is the description of the API.
type openAPI struct {
	root       node
	files      map[string]node // by path in package schemas
	used       map[string]bool // components that something refers to, as file#pointer
	faults     []string        // references that lead nowhere
	operations []operation
}

// operation is one method of one path, with every reference replaced by what it names.
type operation struct {
	method, path string
	permission   string
	planes       []string
	params       []node
	doc          node
}

func (o operation) String() string { return o.method + " " + o.path }

// readOpenAPI reads the description as a tool would: file by file, along the references.
func readOpenAPI(t *testing.T) *openAPI {
	t.Helper()
	d := &openAPI{files: map[string]node{}, used: map[string]bool{}}
	err := fs.WalkDir(schemas.API, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := fs.ReadFile(schemas.API, name)
		if err != nil {
			return err
		}
		var v any
		if err := yaml.Unmarshal(b, &v); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		quoted(t, name, v)
		d.files[name] = as[node](t, name, v)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	d.root = d.files["openapi.yaml"]
	for p, item := range object(d.root, "paths") {
		d.readPath(t, p, d.inline("openapi.yaml", item, nil).(node))
	}
	slices.SortFunc(d.operations, func(a, b operation) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	return d
}

func (d *openAPI) readPath(t *testing.T, p string, item node) {
	t.Helper()
	servers := list(item, "servers")
	if servers == nil {
		servers = list(d.root, "servers")
	}
	for _, method := range []string{"get", "put", "post", "delete", "patch", "head", "options"} {
		doc, ok := item[method].(node)
		if !ok {
			continue
		}
		o := operation{method: strings.ToUpper(method), path: p, doc: doc}
		o.permission, _ = doc["x-permission"].(string)
		for _, s := range servers {
			o.planes = append(o.planes, as[string](t, p+" server", as[node](t, p, s)["description"]))
		}
		for _, v := range slices.Concat(list(item, "parameters"), list(doc, "parameters")) {
			o.params = append(o.params, as[node](t, o.String()+" parameter", v))
		}
		d.operations = append(d.operations, o)
	}
}

// inline returns v with every reference replaced. What stands beside a reference adds to what it names.
func (d *openAPI) inline(file string, v any, trail []string) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = d.inline(file, v[i], trail)
		}
		return out
	case node:
		ref, ok := v["$ref"].(string)
		if !ok {
			out := node{}
			for k := range v {
				out[k] = d.inline(file, v[k], trail)
			}
			return out
		}
		return d.follow(file, ref, v, trail)
	}
	return v
}

func (d *openAPI) follow(file, ref string, beside node, trail []string) any {
	name, pointer, _ := strings.Cut(ref, "#")
	if name != "" {
		file = path.Join(path.Dir(file), name)
	}
	at := file + "#" + pointer
	target, ok := find(d.files[file], pointer)
	if !ok || slices.Contains(trail, at) {
		d.faults = append(d.faults, ref+" in "+file+" names nothing, or itself")
		return node{}
	}
	d.used[at] = true
	out, ok := d.inline(file, target, append(slices.Clone(trail), at)).(node)
	if !ok {
		d.faults = append(d.faults, ref+" in "+file+" names no object")
		return node{}
	}
	for k, v := range beside {
		switch was := out[k].(type) {
		case nil:
			out[k] = v
		case []any:
			out[k] = slices.Concat(was, v.([]any)) // required
		default:
			if k != "description" {
				d.faults = append(d.faults, k+" beside "+ref+" says what that says otherwise")
			}
			out[k] = v
		}
	}
	delete(out, "$ref")
	return out
}

// find follows a JSON pointer.
func find(doc node, pointer string) (any, bool) {
	var v any = doc
	for _, step := range strings.Split(pointer, "/")[1:] {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		m, _ := v.(node)
		next, ok := m[step]
		if !ok {
			return nil, false
		}
		v = next
	}
	return v, doc != nil
}

// operation finds what serves a request; nil where it is not described.
func (d *openAPI) operation(plane, method, p string) *operation {
	for i, o := range d.operations {
		pattern := regexp.MustCompile(`\\\{[^/]+?\\\}`).ReplaceAllString(regexp.QuoteMeta(o.path), `[^/:]+`)
		if o.method == method && slices.Contains(o.planes, plane) && regexp.MustCompile("^"+pattern+"$").MatchString(p) {
			return &d.operations[i]
		}
	}
	return nil
}

// quoted refuses what YAML would make of unquoted text, and keys that JSON does not have.
func quoted(t *testing.T, at string, v any) {
	t.Helper()
	switch v := v.(type) {
	case node:
		for k := range v {
			quoted(t, at+"/"+k, v[k])
		}
	case []any:
		for i := range v {
			quoted(t, fmt.Sprintf("%s/%d", at, i), v[i])
		}
	case time.Time, map[any]any:
		t.Errorf("%s: %v is no JSON: quote it", at, v)
	}
}

// object and list read a member that may not be there.
func object(n node, name string) node { m, _ := n[name].(node); return m }
func list(n node, name string) []any  { l, _ := n[name].([]any); return l }

func as[T any](t *testing.T, at string, v any) T {
	t.Helper()
	out, ok := v.(T)
	if !ok {
		t.Fatalf("%s: %T, want %T", at, v, out)
	}
	return out
}

func asJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
