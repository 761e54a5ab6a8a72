package compat

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-ml/signalbox/events/schema"
)

// Fault is one reason why a version cannot follow another.
type Fault struct {
	// Pointer is a JSON pointer into the schema, with references followed.
	Pointer string `json:"pointer"`
	// Old and New are what the two versions say there, in words; "" is nothing.
	Old string `json:"old,omitempty"`
	New string `json:"new,omitempty"`
	// Why says who would break.
	Why string `json:"detail"`

	rule string
}

// String says it in one line, without the pointer.
func (f Fault) String() string {
	return fmt.Sprintf("was %s, is %s: %s", cmp.Or(f.Old, "not there"), cmp.Or(f.New, "not there"), f.Why)
}

// Compare returns why later does not extend earlier, nothing where it does. It names the first hundred reasons.
func Compare(earlier, later *schema.Schema) []Fault {
	c := &comparer{budget: maxPairs}
	c.node(earlier.Root(), later.Root(), "")
	return c.faults
}

// Same returns where two schemas do not say the same of data, or not of columns. Annotations do not count.
func Same(published, now *schema.Schema) []Fault {
	c := &comparer{budget: maxPairs, exact: true}
	c.node(published.Root(), now.Root(), "")
	return c.faults
}

// Bounds of one comparison.
const (
	maxFaults = 100
	maxPairs  = 50_000
	maxText   = 200 // bytes of what a version says
)

// comparer walks two schemas side by side.
type comparer struct {
	exact  bool // members must not be added either
	budget int
	faults []Fault
}

func (c *comparer) fault(rule, pointer, old, now, why string) {
	if len(c.faults) < maxFaults {
		c.faults = append(c.faults, Fault{Pointer: pointer, Old: clip(old), New: clip(now), Why: why, rule: rule})
	}
}

// Who breaks.
const (
	narrower  = "data that the earlier version allows breaks the later one"
	wider     = "readers of the earlier version would meet data that they refuse"
	different = "neither version takes all that the other one allows"
	published = "it is published, and those who have it would not learn of the change"
)

// anything is what a place takes of which nothing is said.
var anything = &schema.Node{
	Types: schema.Null | schema.Boolean | schema.Number | schema.String | schema.Array | schema.Object, MinLength: -1, MaxLength: -1,
	MinItems: -1, MaxItems: -1, MinProperties: -1, MaxProperties: -1,
}

// node compares what two versions say of one place.
func (c *comparer) node(a, b *schema.Node, at string) {
	if a == b {
		return
	}
	if c.budget--; c.budget <= 0 {
		if c.budget == 0 {
			c.fault("size", at, "", "", fmt.Sprintf("the schemas have more than %d places to compare", maxPairs))
		}
		return
	}
	if a == nil {
		a = anything
	}
	if b == nil {
		b = anything
	}
	before, listedBefore := values(a)
	after, listedAfter := values(b)
	switch {
	case listedBefore && listedAfter:
		c.lists(a, b, before, after, at)
		return
	case listedBefore:
		c.fault("enum", at+"/enum", join(before), "no list", wider)
		return
	case listedAfter:
		c.fault("enum", at+"/enum", "no list", join(after), narrower)
		return
	}
	c.types(a, b, at)
	both := a.Types & b.Types
	for _, f := range facets {
		if both.Has(f.of) || f.of == schema.Number && both.Has(schema.Integer) {
			c.facet(f, a, b, at)
		}
	}
	if both.Has(schema.Array) {
		c.node(a.Items, b.Items, at+"/items")
	}
	if both.Has(schema.Object) {
		c.object(a, b, at)
	}
}

func (c *comparer) types(a, b *schema.Node, at string) {
	if a.Types == b.Types {
		return
	}
	why := different
	switch {
	case b.Types.Has(a.Types):
		why = wider
	case a.Types.Has(b.Types):
		why = narrower
	}
	c.fault("type", at+"/type", a.Types.String(), b.Types.String(), why)
}

// values lists what a place takes, as JSON, where it can be listed.
func values(n *schema.Node) (list []string, ok bool) {
	if n.Enum == nil {
		if n.Types&^(schema.Null|schema.Boolean) != 0 {
			return nil, false
		}
		if n.Types.Has(schema.Null) {
			list = append(list, "null")
		}
		if n.Types.Has(schema.Boolean) {
			list = append(list, "true", "false")
		}
		return list, true
	}
	fits := n.Schema()
	for _, l := range n.Enum {
		text := l.Text
		if l.Type == schema.String {
			text = quote(text)
		}
		if fits.Check([]byte(text)) == nil {
			list = append(list, text)
		}
	}
	return list, true
}

// lists compares two lists of values. What a list takes is in it, so a value of one that the other takes is in both.
func (c *comparer) lists(a, b *schema.Node, before, after []string, at string) {
	without := func(n *schema.Node, list []string) []string {
		fits := n.Schema()
		return slices.DeleteFunc(slices.Clone(list), func(text string) bool { return fits.Check([]byte(text)) == nil })
	}
	if gone := without(b, before); len(gone) > 0 {
		c.fault("enum", at+"/enum", join(before), join(after), fmt.Sprintf("%s: %s is gone", narrower, clip(join(gone))))
	}
	if fresh := without(a, after); len(fresh) > 0 {
		c.fault("enum", at+"/enum", join(before), join(after), fmt.Sprintf("%s: %s is new", wider, clip(join(fresh))))
	}
}

func join(list []string) string {
	if len(list) == 0 {
		return "no value"
	}
	return strings.Join(list, ", ")
}
