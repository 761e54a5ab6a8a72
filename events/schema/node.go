package schema

import "strings"

// Types is a set of JSON types. Number holds every number; Integer alone holds those without a fraction, 1.0 included.
type Types uint8

// The types of JSON Schema.
const (
	Null Types = 1 << iota
	Boolean
	Integer
	Number
	String
	Array
	Object

	anyType = Null | Boolean | Number | String | Array | Object
)

var typeNames = []string{"null", "boolean", "integer", "number", "string", "array", "object"}

// Has reports whether all of some are in ts. Integer is in a set with Number.
func (ts Types) Has(some Types) bool {
	if ts&Number != 0 {
		ts |= Integer
	}
	return ts&some == some
}

// String lists the types as "string or null" does.
func (ts Types) String() string {
	var out []string
	for i, name := range typeNames {
		if ts&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	return strings.Join(out, " or ")
}

// Node says what one value may be. It is for reading: whoever changes it breaks checks that are under way. References
// are followed, so nodes may be shared but never contain themselves. What speaks of one type binds values of that type
// alone.
type Node struct {
	Types Types
	// Enum lists all values there are; nil means no list. A const is a list of one.
	Enum []Literal

	// The bounds of a number; nil means none. MultipleOf is a number's text, or "".
	Minimum, Maximum *Bound
	MultipleOf       string

	// Bounds of a text in code points, -1 means none; a regular expression that matches somewhere in it, or ""; and
	// what it is, such as "date-time", or "".
	MinLength, MaxLength int
	Pattern              string
	Format               string

	// Every element of an array fits Items, nil means anything; -1 is no bound.
	Items              *Node
	MinItems, MaxItems int

	// Properties are the members that the schema names, sorted. Other members are refused where Closed, else they fit
	// Additional, nil means anything. -1 is no bound.
	Properties                   []Property
	Closed                       bool
	Additional                   *Node
	MinProperties, MaxProperties int

	compiled
}

// Property is a member of an object that the schema names, in properties or in required.
type Property struct {
	Name     string
	Node     *Node // nil means anything
	Required bool
	// Column is the name of the column that x-signalbox-column asks for, or "".
	Column string
}

// Bound is an end of a range of numbers.
type Bound struct {
	Number    string // as the schema writes it
	Exclusive bool   // the bound itself is outside

	decimal decimal
}

// Literal is a scalar value of a list.
type Literal struct {
	Type Types  // one of Null, Boolean, Number, String
	Text string // of a string what it says, of all others what JSON writes

	decimal decimal
}

// Root returns the node of the whole data.
func (s *Schema) Root() *Node { return s.root }

// Schema returns the schema that asks for n and nothing else.
func (n *Node) Schema() *Schema { return &Schema{root: n} }
