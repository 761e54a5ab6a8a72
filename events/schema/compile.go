package schema

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Bounds of a schema: its text, and its nodes with every reference followed, so that few definitions that refer to each
// other do not become a tree without end.
const (
	maxSchema = 512 << 10
	maxNodes  = 20_000
)

// Compile reads a schema. The error is a *CompileError with all that is wrong.
func Compile(doc []byte) (*Schema, error) {
	c := &compiler{defs: map[string]*definition{}}
	root := c.compile(doc)
	if len(c.faults) > 0 {
		return nil, &CompileError{Faults: c.faults}
	}
	return &Schema{root: root}, nil
}

// compiler makes nodes of a document and collects what is wrong with it.
type compiler struct {
	faults  []Fault
	defs    map[string]*definition
	columns []string
}

// definition is a member of $defs.
type definition struct {
	doc    document
	at     string
	node   *Node
	size   int
	open   bool // it is being compiled, so a reference to it leads in a circle
	tested bool
}

// maxListed bounds what is said about a schema in which nothing is right.
const maxListed = 100

// fault returns false.
func (c *compiler) fault(at, format string, args ...any) bool {
	if len(c.faults) == maxListed {
		return false
	}
	c.faults = append(c.faults, Fault{Pointer: clip(at), Message: clip(fmt.Sprintf(format, args...))})
	return false
}

func (c *compiler) compile(b []byte) *Node {
	if len(b) > maxSchema {
		c.fault("", "it has %d bytes: a schema may have %d", len(b), maxSchema)
		return nil
	}
	doc, ok := c.parse(b)
	if !ok {
		return nil
	}
	if doc.typ != Object {
		c.fault("", "want an object, such as {\"type\": \"object\", \"properties\": {...}}")
		return nil
	}
	if defs := doc.member("$defs"); defs != nil && defs.typ == Object {
		for _, e := range defs.members {
			c.defs[e.name] = &definition{doc: e.value, at: at("/$defs", e.name)}
		}
	}
	root, size := c.node(doc, "", top)
	for _, name := range slices.Sorted(keys(c.defs)) {
		c.define(c.defs[name])
	}
	if size > maxNodes {
		c.fault("", "it has %d places with all references followed: %d are allowed", size, maxNodes)
	}
	return root
}

// place is where a schema stands; some keywords are for some places only.
type place int

const (
	inner place = iota
	top
	member // of the properties of the top
)

// node compiles a schema and says how many nodes it has. It is nil where anything goes.
func (c *compiler) node(doc document, path string, where place) (*Node, int) {
	switch {
	case doc.typ == Boolean && doc.text == "true":
		return nil, 1
	case doc.typ != Object:
		c.fault(path, "want a schema, an object")
		return nil, 1
	}
	if ref := doc.member("$ref"); ref != nil {
		return c.reference(doc, *ref, path, where)
	}
	b := &builder{compiler: c, doc: doc, path: path, where: where, size: 1}
	return b.build(), b.size
}

// reference follows a $ref.
func (c *compiler) reference(doc, ref document, path string, where place) (*Node, int) {
	for _, e := range doc.members {
		if e.name != "$ref" && !annotation(e.name, where) {
			c.fault(at(path, e.name), "it cannot stand beside $ref: write it into the definition, or the definition in the place of $ref")
		}
	}
	path = at(path, "$ref")
	name, ok := strings.CutPrefix(ref.text, "#/$defs/")
	if text, err := url.PathUnescape(name); err == nil && !strings.Contains(name, "/") {
		name = strings.NewReplacer("~1", "/", "~0", "~").Replace(text)
	} else {
		ok = false
	}
	d := c.defs[name]
	switch {
	case ref.typ != String || !ok:
		c.fault(path, "want \"#/$defs/<name>\": a schema holds all that it uses in its own $defs")
	case d == nil:
		c.fault(path, "there is no %q in $defs: define it, or correct the name", name)
	case d.open:
		c.fault(path, "it leads in a circle: schemas that contain themselves have no bound, write the levels out")
	default:
		c.define(d)
		return d.node, d.size
	}
	return nil, 1
}

// define compiles a definition once.
func (c *compiler) define(d *definition) {
	if d.tested {
		return
	}
	d.tested, d.open = true, true
	d.node, d.size = c.node(d.doc, d.at, inner)
	d.size = min(d.size, 2*maxNodes) // it grows by multiplication
	d.open = false
}

// properties joins what properties and required say.
func (b *builder) properties(n *Node) {
	required := b.required
	for i := range n.Properties {
		p := &n.Properties[i]
		p.Required = required[p.Name]
		delete(required, p.Name)
	}
	for _, name := range slices.Sorted(keys(required)) {
		if n.Closed {
			b.fault(at(b.path, "required"), "%q is required and not in properties, where nothing else is allowed: declare it", name)
		}
		n.Properties = append(n.Properties, Property{Name: name, Node: n.Additional, Required: true})
	}
	slices.SortFunc(n.Properties, func(p, q Property) int { return cmp.Compare(p.Name, q.Name) })
}
