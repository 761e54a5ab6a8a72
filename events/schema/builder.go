package schema

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// builder compiles one schema into a node.
type builder struct {
	*compiler
	doc      document
	path     string
	where    place
	size     int // nodes so far
	required map[string]bool
}

func (b *builder) build() *Node {
	n := &Node{Types: anyType, MinLength: -1, MaxLength: -1, MinItems: -1, MaxItems: -1, MinProperties: -1, MaxProperties: -1}
	for _, e := range b.doc.members {
		path := at(b.path, e.name)
		switch {
		case annotation(e.name, b.where):
			b.annotate(e, path)
		case b.general(n, e, path), b.numeric(n, e, path), b.textual(n, e, path), b.nested(n, e, path):
		default:
			b.fault(path, "%q: %s", clip(e.name), advice(e.name))
		}
	}
	b.ordered(n)
	b.properties(n)
	if len(b.faults) == 0 {
		n.prepare()
	}
	return n
}

// general takes the keywords for every type. It reports false where the keyword is another.
func (b *builder) general(n *Node, e entry, path string) bool {
	switch e.name {
	case "type":
		n.Types = b.types(e.value, path)
	case "enum":
		if n.Enum = b.literals(e.value.items, path); e.value.typ != Array || len(e.value.items) == 0 {
			b.fault(path, "want a list of values, not an empty one")
		}
		b.once("const", path)
	case "const":
		n.Enum = b.literals([]document{e.value}, path)
	default:
		return false
	}
	return true
}

// once refuses two keywords for the same thing.
func (b *builder) once(other, path string) {
	if b.doc.member(other) != nil {
		b.fault(path, "%s says the same: leave one", other)
	}
}

func (b *builder) types(doc document, path string) Types {
	list := doc.items
	if doc.typ == String {
		list = []document{doc}
	}
	var ts Types
	for _, item := range list {
		i := slices.Index(typeNames, item.text)
		if item.typ != String || i < 0 {
			b.fault(path, "%q is no type: want %s", clip(item.text), strings.Join(typeNames, ", "))
			continue
		}
		if ts&(1<<i) != 0 {
			b.fault(path, "%q is there twice: leave one", item.text)
		}
		ts |= 1 << i
	}
	if len(list) == 0 {
		b.fault(path, "want the name of a type or a list of names")
	}
	if ts&Number != 0 {
		ts &^= Integer
	}
	return ts
}

// maxLiterals bounds a list of values.
const maxLiterals = 10_000

func (b *builder) literals(list []document, path string) []Literal {
	if len(list) > maxLiterals {
		b.fault(path, "it has %d values: %d are allowed", len(list), maxLiterals)
		return nil
	}
	out := make([]Literal, 0, len(list))
	for _, item := range list {
		switch item.typ {
		case Object, Array:
			b.fault(path, "want texts, numbers, true, false and null: describe objects with properties and arrays with items")
		case Number:
			d, ok := b.decimal(item, path)
			out = append(out, Literal{Type: Number, Text: item.text, decimal: d})
			if !ok {
				return nil
			}
		default:
			out = append(out, Literal{Type: item.typ, Text: item.text})
		}
	}
	return out
}

// textual takes the keywords for strings.
func (b *builder) textual(n *Node, e entry, path string) bool {
	switch e.name {
	case "minLength":
		n.MinLength = b.count(e.value, path)
	case "maxLength":
		n.MaxLength = b.count(e.value, path)
	case "pattern":
		b.pattern(n, e.value, path)
	case "format":
		if n.Format = e.value.text; e.value.typ != String || formats[n.Format] == nil {
			b.fault(path, "%q is no format that is checked: want one of %s", clip(e.value.text), strings.Join(slices.Sorted(keys(formats)), ", "))
		}
	default:
		return false
	}
	return true
}

// maxProgram bounds the steps that a pattern takes for each letter of a text.
const maxProgram = 1000

func (b *builder) pattern(n *Node, doc document, path string) {
	if doc.typ != String {
		b.fault(path, "want a regular expression")
		return
	}
	re, err := regexp.Compile(doc.text)
	if err != nil {
		b.fault(path, "want RE2 as of Go: %v", err)
		return
	}
	if size := program(doc.text); size > maxProgram {
		b.fault(path, "it is too complex: %d steps for a letter, %d are allowed; use maxLength for lengths", size, maxProgram)
	}
	n.Pattern, n.matches = doc.text, matcher(re)
}

// program returns the size of an expression that was found valid.
func program(pattern string) int {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return 0
	}
	return len(prog.Inst)
}

// nested takes the keywords for arrays and objects.
func (b *builder) nested(n *Node, e entry, path string) bool {
	switch e.name {
	case "items":
		n.Items = b.inside(e.value, path, inner)
	case "minItems":
		n.MinItems = b.count(e.value, path)
	case "maxItems":
		n.MaxItems = b.count(e.value, path)
	case "minProperties":
		n.MinProperties = b.count(e.value, path)
	case "maxProperties":
		n.MaxProperties = b.count(e.value, path)
	case "additionalProperties":
		if n.Closed = e.value.typ == Boolean && e.value.text == "false"; !n.Closed {
			n.Additional = b.inside(e.value, path, inner)
		}
	case "required":
		b.names(e.value, path)
	case "properties":
		if e.value.typ != Object {
			b.fault(path, "want an object with a schema for each member")
		}
		for _, m := range e.value.members {
			n.Properties = append(n.Properties, b.property(m, at(path, m.name)))
		}
	default:
		return false
	}
	return true
}

// inside compiles a schema within the schema.
func (b *builder) inside(doc document, path string, where place) *Node {
	n, size := b.node(doc, path, where)
	b.size = min(b.size+size, 2*maxNodes)
	return n
}

func (b *builder) names(doc document, path string) {
	if doc.typ != Array {
		b.fault(path, "want a list of names")
	}
	b.required = make(map[string]bool, len(doc.items))
	for _, item := range doc.items {
		switch {
		case item.typ != String:
			b.fault(path, "want names, in quotes")
		case b.required[item.text]:
			b.fault(path, "%q is there twice: leave one", clip(item.text))
		default:
			b.required[item.text] = true
		}
	}
}

func (b *builder) property(m entry, path string) Property {
	where := inner
	if b.where == top {
		where = member
	}
	p := Property{Name: m.name, Node: b.inside(m.value, path, where)}
	if where != member {
		return p
	}
	if doc := m.value.member(column); doc != nil {
		p.Column = b.column(*doc, p, at(path, column))
	}
	return p
}
