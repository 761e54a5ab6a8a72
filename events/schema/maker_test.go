package schema

import (
	"fmt"
	"strings"
)

// maker makes schemas, and values that have a chance to fit them, from bytes; after those it goes on by itself.
type maker struct {
	seed  []byte
	state uint64
	texts []string // that the schema mentions
}

// pick returns 0 to n-1.
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

func (g *maker) of(list ...string) string { return list[g.pick(len(list))] }

func (g *maker) name() string { return g.of("a", "b", "c", "é", "a/b", "x~y", "", "long name") }

// spell writes a text in one of the ways that JSON has.
func (g *maker) spell(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case g.pick(12) == 0 && r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r < ' ':
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

var numbers = []string{
	"0", "-0", "1", "-1", "2", "10", "1.0", "1.5", "-1.5", "1.50", "0.1", "0.30", "1e1", "1E+2", "15e-1", "0.001e3", "3", "7", "100", "9007199254740993",
	"9007199254740992", "0.1000000000000000055511151231257827", "123456789012345678901234567890", "123456789012345678901234567891", "2.5", "1e-10", "0e5",
}

var texts = []string{
	"", "a", "b", "ab", "é", "éé", "😀", "JFK", "LAX", "jfk", "A1", "A-1", "2026-01-02T15:04:05Z", "2026-02-30T15:04:05Z", "2026-01-02t15:04:05.5+01:00", "2016-12-31T23:59:60Z",
	"2026-01-02", "15:04:05Z", "15:04:60Z", "9081e64f-b2c0-455e-bcaa-c1c211fa124b", "a@b.org", "a..b@c", "\"x y\"@[1.2.3.4]", "1.2.3.4", "256.1.1.1", "::1", "fe80::1%a", "https://example.org/a",
	"/a?b", "http://[::g]", "urn:x", "P1D", "P1W", "PT", "PT1H2S", "example.org", "-a.b", "\\", "\x00", "a\nb", "long name",
}

func (g *maker) number() string { return numbers[g.pick(len(numbers))] }

func (g *maker) text() string {
	if len(g.texts) > 0 && g.pick(2) == 0 {
		return g.texts[g.pick(len(g.texts))]
	}
	return texts[g.pick(len(texts))]
}

func (g *maker) scalar() string {
	switch g.pick(4) {
	case 0:
		return g.number()
	case 1:
		return g.of("true", "false", "null")
	}
	t := g.text()
	g.texts = append(g.texts, t)
	return g.spell(t)
}

// document makes a schema. Its definitions refer only to those before them.
func (g *maker) document() []byte {
	var defs []string
	n := g.pick(3)
	for i := range n {
		defs = append(defs, fmt.Sprintf(`"d%d":%s`, i, g.schema(2, i)))
	}
	s := g.schema(0, n)
	if s[0] != '{' {
		s = "{}"
	}
	if len(defs) == 0 {
		return []byte(s)
	}
	body := strings.TrimPrefix(s, "{")
	if body != "}" {
		body = "," + body
	}
	return []byte(`{"$defs":{` + strings.Join(defs, ",") + `}` + body)
}

func (g *maker) schema(depth, defs int) string {
	if defs > 0 && depth > 0 && g.pick(5) == 0 {
		return fmt.Sprintf(`{"$ref":"#/$defs/d%d"}`, g.pick(defs))
	}
	if depth > 3 || g.pick(12) == 0 {
		return g.of("{}", "true", `{"type":"string"}`, `{"type":"integer"}`)
	}
	var parts []string
	add := func(name, value string) { parts = append(parts, `"`+name+`":`+value) }
	switch kind := g.pick(8); {
	case kind < 3 || depth == 0 && kind < 6:
		g.object(add, depth, defs)
	case kind == 3:
		g.array(add, depth, defs)
	case kind == 4:
		var list []string
		for range 1 + g.pick(4) {
			list = append(list, g.scalar())
		}
		add("enum", "["+strings.Join(list, ",")+"]")
	case kind == 5:
		g.numeric(add)
	default:
		g.textual(add)
	}
	if g.pick(20) == 0 {
		add("const", g.scalar())
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func (g *maker) object(add func(name, value string), depth, defs int) {
	g.typed(add, "object")
	var props, required []string
	for _, name := range []string{"a", "b", "c", "é", "a/b", ""}[:g.pick(7)] {
		props = append(props, g.spell(name)+":"+g.schema(depth+1, defs))
		if g.pick(3) == 0 {
			required = append(required, g.spell(name))
		}
	}
	if g.pick(6) == 0 {
		required = append(required, `"x~y"`)
	}
	add("properties", "{"+strings.Join(props, ",")+"}")
	if len(required) > 0 {
		add("required", "["+strings.Join(required, ",")+"]")
	}
	switch g.pick(4) {
	case 0:
		add("additionalProperties", "false")
	case 1:
		add("additionalProperties", g.schema(depth+2, defs))
	}
	g.range2(add, "Properties")
}

func (g *maker) array(add func(name, value string), depth, defs int) {
	g.typed(add, "array")
	if g.pick(4) > 0 {
		add("items", g.schema(depth+1, defs))
	}
	g.range2(add, "Items")
}

func (g *maker) range2(add func(name, value string), what string) {
	if g.pick(5) == 0 {
		add("min"+what, g.of("0", "1", "2", "1.0"))
	}
	if g.pick(5) == 0 {
		add("max"+what, g.of("2", "3", "4", "1e1"))
	}
}

func (g *maker) numeric(add func(name, value string)) {
	g.typed(add, g.of("number", "integer"))
	for _, name := range []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"} {
		if g.pick(4) == 0 {
			add(name, g.number())
		}
	}
	if g.pick(3) == 0 {
		add("multipleOf", g.of("1", "2", "0.1", "0.5", "1e-2", "3", "7e1", "2.50"))
	}
}

func (g *maker) textual(add func(name, value string)) {
	g.typed(add, "string")
	switch g.pick(3) {
	case 0:
		add("format", g.spell(g.of("date-time", "date", "time", "duration", "uuid", "ipv4", "ipv6", "hostname", "email", "uri", "uri-reference")))
	case 1:
		add("pattern", g.of(`"^[A-Z]{3}$"`, `"[a-z]"`, `"^[A-Z]+-?[0-9]*$"`, `"^.$"`, `"\\d"`, `"^(a|b)+$"`, `"^\\W*$"`))
	}
	g.range2(add, "Length")
}

func (g *maker) typed(add func(name, value string), typ string) {
	switch g.pick(5) {
	case 0:
	case 1:
		add("type", `["`+typ+`","null"]`)
	default:
		add("type", `"`+typ+`"`)
	}
}

// value makes JSON.
func (g *maker) value(depth int) []byte {
	kind := g.pick(8)
	if depth == 0 && kind > 3 {
		kind = 0
	}
	if depth > 4 {
		kind = 7
	}
	blank := g.of("", "", "", " ", "\n\t")
	switch {
	case kind < 2:
		var parts []string
		for _, name := range []string{"a", "b", "c", "é", "a/b", "", "x~y", "z"}[:g.pick(9)] {
			if g.pick(4) > 0 {
				parts = append(parts, g.spell(name)+blank+":"+string(g.value(depth+1)))
			}
		}
		if g.pick(40) == 0 {
			parts = append(parts, g.spell(g.name())+":1")
		}
		return []byte("{" + blank + strings.Join(parts, blank+",") + "}")
	case kind == 2:
		var parts []string
		for range g.pick(5) {
			parts = append(parts, string(g.value(depth+1)))
		}
		return []byte("[" + strings.Join(parts, ","+blank) + blank + "]")
	}
	return []byte(blank + g.scalar() + blank)
}

// fitting makes JSON that keeps to n for the most part, so that checks get past the first fault.
func (g *maker) fitting(n *Node, depth int) string {
	if n == nil || depth > 6 || g.pick(14) == 0 {
		return string(g.value(depth + 1))
	}
	if n.Enum != nil {
		l := n.Enum[g.pick(len(n.Enum))]
		if l.Type == String {
			return g.spell(l.Text)
		}
		return l.Text
	}
	typ := Types(1) << g.pick(7)
	for !n.Types.Has(typ) {
		if typ <<= 1; typ > Object {
			typ = Null
		}
	}
	switch typ {
	case Object:
		return g.members(n, depth)
	case Array:
		var parts []string
		for range max(0, n.MinItems) + g.pick(3) {
			parts = append(parts, g.fitting(n.Items, depth+1))
		}
		return "[" + strings.Join(parts, " ,") + "]"
	case String:
		return g.spell(g.text())
	case Integer:
		return g.of("0", "1", "7", "-3", "10", "1e2", "6.0", "300000000000000000000")
	case Number:
		return g.number()
	case Boolean:
		return g.of("true", "false")
	}
	return "null"
}

func (g *maker) members(n *Node, depth int) string {
	var parts []string
	for _, p := range n.Properties {
		if p.Required && g.pick(15) > 0 || !p.Required && g.pick(3) > 0 {
			parts = append(parts, g.spell(p.Name)+":"+g.fitting(p.Node, depth+1))
		}
	}
	if !n.Closed && g.pick(3) == 0 || g.pick(15) == 0 {
		parts = append(parts, `"more":`+g.fitting(n.Additional, depth+1))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
