package compat

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/signalbox-ml/signalbox/events/schema"
)

// maker makes schemas, changes of them and documents from bytes; after those it goes on by itself.
type maker struct {
	seed  []byte
	state uint64
}

func (g *maker) pick(n int) int {
	if len(g.seed) > 0 {
		c := g.seed[0]
		g.seed = g.seed[1:]
		g.state = g.state*31 + uint64(c) + 1
		return int(c) % n
	}
	g.state = g.state*6364136223846793005 + 1442695040888963407
	return int(g.state>>33) % n
}

func pick[T any](g *maker, list ...T) T { return list[g.pick(len(list))] }

// object is JSON Schema as text by keyword, or members by name.
type object map[string]any

// schema makes a schema of few words, so that changes of it meet each other.
func (g *maker) schema(depth int) object {
	s := object{}
	kind := g.pick(10)
	if depth == 0 {
		kind = 0
	}
	if depth > 1 && kind < 4 {
		kind += 4
	}
	switch kind {
	case 0, 1:
		s["type"] = "object"
		props := object{}
		for _, name := range []string{"a", "b", "c"} {
			if g.pick(2) == 0 {
				props[name] = g.schema(depth + 1)
			}
		}
		if len(props) > 0 {
			s["properties"] = props
		}
		g.maybe(s, depth, "required", "additionalProperties", "minProperties", "maxProperties")
	case 2, 3:
		s["type"] = "array"
		g.maybe(s, depth, "items", "items", "minItems", "maxItems")
	case 4:
		s["type"] = "string"
		g.maybe(s, depth, "minLength", "maxLength", "pattern", "format", "enum")
	case 5:
		s["type"] = pick(g, "integer", "number")
		g.maybe(s, depth, "minimum", "maximum", "exclusiveMinimum", "multipleOf", "enum")
	case 6:
		g.maybe(s, depth, "enum", "const")
	case 7:
		s["type"] = g.types()
	case 8:
		s["additionalProperties"] = g.schema(depth + 1)
	}
	return s
}

func (g *maker) types() any {
	return pick[any](g, "string", "integer", "number", "null", "boolean", "object", "array", []string{"string", "null"}, []string{"object", "integer"}, []string{"null", "boolean"})
}

func (g *maker) maybe(s object, depth int, names ...string) {
	for _, name := range names {
		if g.pick(3) == 0 {
			g.say(s, depth, name)
		}
	}
}

// say gives a keyword a value.
func (g *maker) say(s object, depth int, name string) {
	switch name {
	case "required":
		s[name] = pick(g, []string{"a"}, []string{"b"}, []string{"a", "c"}, []string{})
	case "additionalProperties", "items":
		s[name] = pick[any](g, false, true, object{}, g.schema(depth+1))
		if name == "items" && s[name] == false {
			delete(s, name)
		}
	case "minProperties", "minItems", "minLength":
		s[name] = g.pick(3)
	case "maxProperties", "maxItems", "maxLength":
		s[name] = 1 + g.pick(3)
	case "pattern":
		s[name] = pick(g, "^x", "x", "^[a-z]*$")
	case "format":
		s[name] = pick(g, "date", "uuid")
	case "minimum", "maximum", "exclusiveMinimum":
		s[name] = pick(g, json.RawMessage("0"), json.RawMessage("1"), json.RawMessage("1.0"), json.RawMessage("2"), json.RawMessage("-1"))
	case "multipleOf":
		s[name] = pick(g, json.RawMessage("1"), json.RawMessage("2"), json.RawMessage("0.5"), json.RawMessage("2.0"))
	case "enum":
		s[name] = pick(g, []any{"x", 1}, []any{1, "x"}, []any{"x"}, []any{1, 2, nil}, []any{nil, true}, []any{"xy", "x", 2})
		delete(s, "const")
	case "const":
		s[name] = pick[any](g, "x", 1, nil)
		delete(s, "enum")
	case "type":
		s[name] = g.types()
	case "description":
		s[name] = fmt.Sprint(g.pick(9))
	}
}

// clone copies what change may change.
func clone(s object) object {
	out := maps.Clone(s)
	for name, v := range out {
		if inner, ok := v.(object); ok {
			out[name] = clone(inner)
		}
	}
	return out
}

var keywords = []string{
	"required", "additionalProperties", "items", "minProperties", "minItems", "minLength", "maxProperties", "maxItems", "maxLength",
	"pattern", "format", "minimum", "maximum", "exclusiveMinimum", "multipleOf", "enum", "const", "type", "description",
}

// change changes one thing somewhere in a schema.
func (g *maker) change(s object, depth int) {
	props, _ := s["properties"].(object)
	if names := slices.Sorted(maps.Keys(props)); len(names) > 0 && g.pick(3) > 0 {
		g.change(props[pick(g, names...)].(object), depth+1)
		return
	}
	for _, name := range []string{"items", "additionalProperties"} {
		if inner, ok := s[name].(object); ok && g.pick(2) == 0 {
			g.change(inner, depth+1)
			return
		}
	}
	switch g.pick(5) {
	case 0, 1:
		if depth < 3 {
			if props == nil {
				props = object{}
				s["properties"] = props
			}
			props[pick(g, "a", "b", "c", "d")] = g.schema(depth + 1)
		}
	case 2:
		if props != nil {
			delete(props, pick(g, "a", "b", "c", "d"))
		}
		fallthrough
	case 3:
		if names := slices.Sorted(maps.Keys(s)); len(names) > 0 {
			if name := pick(g, names...); name != "properties" {
				delete(s, name)
			}
		}
	default:
		names := slices.Sorted(maps.Keys(s))
		switch bound, ok := s["minimum"]; {
		case ok && g.pick(3) == 0:
			delete(s, "minimum")
			s["exclusiveMinimum"] = bound
		case len(names) > 0 && g.pick(2) == 0:
			g.say(s, depth, pick(g, names...))
		default:
			g.say(s, depth, pick(g, keywords...))
		}
	}
}

// text writes a schema.
func (s object) text() []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return b
}

// document makes JSON that keeps to one of two nodes for the most part.
func (g *maker) document(n, other *schema.Node, depth int) string {
	if g.pick(8) == 0 {
		n, other = other, n
	}
	if n == nil || depth > 5 || g.pick(20) == 0 {
		return pick(g, "1", "2", "0", "-1", "1.5", `"x"`, `""`, `"xy"`, `"2026-01-02"`, "null", "true", "{}", `{"a":1}`, `{"b":"x"}`, "[]", "[1]", `{"a":null,"c":[]}`)
	}
	if n.Enum != nil {
		l := pick(g, n.Enum...)
		if l.Type == schema.String {
			return quote(l.Text)
		}
		return l.Text
	}
	typ := schema.Types(1) << g.pick(7)
	for !n.Types.Has(typ) {
		if typ <<= 1; typ > schema.Object {
			typ = schema.Null
		}
	}
	switch typ {
	case schema.Object:
		return g.members(n, other, depth)
	case schema.Array:
		var items *schema.Node
		if other != nil {
			items = other.Items
		}
		var parts []string
		for range max(n.MinItems, 0) + g.pick(3) {
			parts = append(parts, g.document(n.Items, items, depth+1))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case schema.String:
		return pick(g, `""`, `"x"`, `"xy"`, `"xyz"`, `"X"`, `"ax"`, `"2026-01-02"`, `"9081e64f-b2c0-455e-bcaa-c1c211fa124b"`)
	case schema.Integer:
		return pick(g, "0", "1", "2", "3", "-1", "4.0")
	case schema.Number:
		return pick(g, "0", "1", "2", "0.5", "1.5", "-1", "3", "0.25")
	case schema.Boolean:
		return pick(g, "true", "false")
	}
	return "null"
}

// members makes an object of names that either node may declare.
func (g *maker) members(n, other *schema.Node, depth int) string {
	var parts []string
	for _, name := range []string{"a", "b", "c", "d"} {
		p, declared := property(n, name)
		q, _ := property(other, name)
		if declared && p.Required || g.pick(3) == 0 {
			if !declared {
				p.Node = n.Additional
			}
			parts = append(parts, quote(name)+":"+g.document(p.Node, q.Node, depth+1))
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func property(n *schema.Node, name string) (schema.Property, bool) {
	if n != nil {
		for _, p := range n.Properties {
			if p.Name == name {
				return p, true
			}
		}
	}
	return schema.Property{}, false
}
