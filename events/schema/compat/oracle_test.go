package compat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/signalbox-ml/signalbox/events/schema"
)

// version is a schema with an independent implementation of what it takes.
type version struct {
	doc    []byte
	schema *schema.Schema
	oracle *jsonschema.Schema // once it was asked
}

// compile returns nil for what is no schema of the subset.
func compile(t testing.TB, doc []byte) *version {
	t.Helper()
	s, err := schema.Compile(doc)
	if err != nil {
		return nil
	}
	return &version{doc: doc, schema: s}
}

func oracle(t testing.TB, doc []byte) *jsonschema.Schema {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource("s.json", v); err != nil {
		t.Fatal(err)
	}
	out, err := c.Compile("s.json")
	if err != nil {
		t.Fatalf("%v\n%s", err, doc)
	}
	return out
}

func (v *version) fits(t testing.TB, data any) bool {
	t.Helper()
	if v.oracle == nil {
		v.oracle = oracle(t, v.doc)
	}
	return v.oracle.Validate(data) == nil
}

// strip leaves out what a reader or writer of n does not know: members of open objects that are not free-form. It is
// written from the words of the package comment alone.
func strip(data any, n *schema.Node) any {
	if n == nil {
		return data
	}
	switch data := data.(type) {
	case []any:
		out := make([]any, len(data))
		for i, e := range data {
			out[i] = strip(e, n.Items)
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for name, v := range data {
			p, declared := property(n, name)
			switch {
			case declared:
				out[name] = strip(v, p.Node)
			case n.Closed, len(n.Properties) == 0, !isAnything(n.Additional):
				out[name] = strip(v, n.Additional)
			}
		}
		return out
	}
	return data
}

// broken returns a document that a writer of w may write and a reader of r cannot read.
func broken(t testing.TB, g *maker, w, r *version, tries int) (witness string, written int) {
	t.Helper()
	for range tries {
		text := g.document(w.schema.Root(), r.schema.Root(), 0)
		raw, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(text)))
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		data := strip(raw, w.schema.Root())
		if !w.fits(t, data) {
			continue
		}
		written++
		if !r.fits(t, data) || !r.fits(t, strip(data, r.schema.Root())) {
			b, err := json.Marshal(data)
			if err != nil {
				t.Fatal(err)
			}
			return string(b), written
		}
	}
	return "", written
}

// chain makes three versions, each a change of the one before; nil where one is no schema.
func chain(t testing.TB, g *maker) []*version {
	t.Helper()
	var out []*version
	s := g.schema(0)
	for i := range 3 {
		if i > 0 {
			s = clone(s)
			for range g.pick(3) {
				g.change(s, 0)
			}
		}
		v := compile(t, s.text())
		if v == nil {
			return nil
		}
		out = append(out, v)
	}
	return out
}

// rules returns the rules that forbid that b follows a.
func rules(a, b *version) map[string]bool {
	out := map[string]bool{}
	for _, f := range Compare(a.schema, b.schema) {
		out[f.rule] = true
	}
	return out
}

// contradicts looks for a document that shows that versions cannot read each other.
func contradicts(t testing.TB, g *maker, versions []*version, tries int) string {
	t.Helper()
	for i, w := range versions {
		for j, r := range versions {
			if i == j {
				continue
			}
			if data, _ := broken(t, g, w, r, tries); data != "" {
				return fmt.Sprintf("version %d writes %s, version %d cannot read it\n0: %s\n1: %s\n2: %s",
					i, data, j, versions[0].doc, versions[1].doc, versions[2].doc)
			}
		}
	}
	return ""
}

// FuzzCompare: where every version may follow the one before, all can read what all others write.
func FuzzCompare(f *testing.F) {
	for i := range 64 {
		f.Add(bytes.Repeat([]byte{byte(i * 37), byte(i), byte(i * 101), 3, byte(255 - i)}, 6))
	}
	f.Fuzz(func(t *testing.T, seed []byte) {
		g := &maker{seed: seed}
		v := chain(t, g)
		if v == nil {
			return
		}
		for _, one := range v {
			if fs := Compare(one.schema, one.schema); len(fs) > 0 {
				t.Fatalf("%s cannot follow itself: %v", one.doc, fs)
			}
		}
		if len(rules(v[0], v[1])) > 0 || len(rules(v[1], v[2])) > 0 {
			return
		}
		if why := contradicts(t, g, v, 20); why != "" {
			t.Error(why)
		}
		if fs := Compare(v[0].schema, v[2].schema); len(fs) > 0 {
			t.Errorf("not transitive: %v\n%s\n%s\n%s", fs, v[0].doc, v[1].doc, v[2].doc)
		}
	})
}

// needed are the rules without which versions that cannot read each other would pass.
var needed = []string{
	"type", "enum", "minimum", "maximum", "multipleOf", "minLength", "maxLength", "pattern", "format", "minItems", "maxItems", "minProperties",
	"maxProperties", "additionalProperties", "free-form", "removed", "required", "closed", "map", "count",
}

// TestEveryRuleIsNeeded: the fuzz test can find each rule's absence. For each rule it finds a chain of versions that the
// rule alone forbids, and a document of one that another cannot read. Of versions that may follow each other, and there
// are enough that grow, it finds none that cannot.
func TestEveryRuleIsNeeded(t *testing.T) {
	found := map[string]string{}
	var chains, extended, grown int
	for seed := range 400_000 {
		g := &maker{state: uint64(seed)*0x9e3779b97f4a7c15 + 1}
		v := chain(t, g)
		if v == nil {
			continue
		}
		chains++
		broken := rules(v[0], v[1])
		maps.Copy(broken, rules(v[1], v[2]))
		switch len(broken) {
		case 0:
			extended++
			if len(Same(v[0].schema, v[2].schema)) == 0 {
				break // annotations and other words for the same
			}
			grown++
			if why := contradicts(t, g, v, 8); why != "" {
				t.Fatalf("nothing forbids it: %s", why)
			}
		case 1:
			rule := slices.Collect(maps.Keys(broken))[0]
			if found[rule] == "" {
				found[rule] = contradicts(t, g, v, 10)
			}
		}
		if left(found) == nil && grown > 700 {
			break
		}
	}
	if rest := left(found); rest != nil || grown < 700 {
		t.Errorf("of %d chains %d may follow each other, %d with members added; no witness for %v", chains, extended, grown, rest)
	}
	t.Logf("%d chains, %d extended, %d grown", chains, extended, grown)
	for _, rule := range needed {
		t.Logf("%s: %s", rule, found[rule])
	}
}

func left(found map[string]string) (out []string) {
	for _, rule := range needed {
		if found[rule] == "" {
			out = append(out, rule)
		}
	}
	return out
}
