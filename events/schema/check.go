package schema

import (
	"fmt"
	"strconv"
	"sync"

	"github.com/signalbox-ml/signalbox/events/lex"
)

// Schema is a compiled schema. It is safe for concurrent use.
type Schema struct {
	root     *Node
	checkers sync.Pool
}

// Check returns nil or an *Error. Data that is no JSON is an Error at the whole.
func (s *Schema) Check(data []byte) error {
	c, _ := s.checkers.Get().(*checker)
	if c == nil {
		c = &checker{}
	}
	c.Data = data
	ok := c.value(s.root, 0) && c.End()
	var err error
	switch {
	case c.Broken != "":
		err = &Error{Faults: []Fault{{Message: "want JSON: " + c.Broken + " at byte " + strconv.Itoa(c.Pos)}}}
	case !ok || len(c.faults) > 0:
		err = &Error{Faults: c.faults}
	}
	c.reset()
	s.checkers.Put(c)
	return err
}

// maxDepth is how deep data may nest.
const maxDepth = 64

// checker checks one value. Its stacks grow to the largest data seen and are used again.
type checker struct {
	lex.Lexer
	path   []step
	seen   []uint64 // bits of the declared members of each open object
	names  [][]byte // of members that are not declared, of each open object
	text   []byte   // of the string at hand
	faults []Fault
}

// step is a part of the path to the value at hand: a member, or an element where name is nil.
type step struct {
	name  []byte
	index int
}

// Bounds of what a checker keeps for the next data.
const keepText, keepNames = 64 << 10, 64

func (c *checker) reset() {
	clear(c.path[:cap(c.path)]) // they refer to the data
	if cap(c.names) > keepNames {
		c.names = nil
	}
	clear(c.names[:cap(c.names)])
	if cap(c.text) > keepText {
		c.text = nil
	}
	*c = checker{path: c.path[:0], seen: c.seen[:0], names: c.names[:0], text: c.text[:0]}
}

// fault notes what does not fit at the path, and reports whether it is worth to go on.
func (c *checker) fault(format string, args ...any) bool {
	c.faults = append(c.faults, Fault{Pointer: c.pointer(), Message: clip(fmt.Sprintf(format, args...))})
	return len(c.faults) < maxFaults
}

func (c *checker) pointer() string {
	out := ""
	for _, s := range c.path {
		if len(out) > maxMessage {
			return clip(out)
		}
		if s.name == nil {
			out += "/" + strconv.Itoa(s.index)
			continue
		}
		out = at(out, string(s.name))
	}
	return clip(out)
}

// value checks the next value. n is nil where anything goes. It returns false where nothing more is to be learned.
func (c *checker) value(n *Node, depth int) bool {
	b := c.Peek()
	if depth == maxDepth && (b == '{' || b == '[') {
		return c.Fail(tooDeep)
	}
	switch b {
	case '{':
		return c.object(n, depth)
	case '[':
		return c.array(n, depth)
	case '"':
		return c.string(n)
	case 't':
		return c.Literal("true") && c.word(n, Boolean, "true")
	case 'f':
		return c.Literal("false") && c.word(n, Boolean, "false")
	case 'n':
		return c.Literal("null") && c.word(n, Null, "null")
	}
	return c.number(n)
}

var tooDeep = "it nests deeper than " + strconv.Itoa(maxDepth)

// word checks true, false or null.
func (c *checker) word(n *Node, typ Types, text string) bool {
	switch {
	case n == nil:
		return true
	case n.Types&typ == 0:
		return c.mistyped(n, typ)
	case n.Enum != nil && !n.hasWord(typ, text):
		return c.unlisted(n)
	}
	return true
}

func (c *checker) mistyped(n *Node, got Types) bool {
	return c.fault("got %s, want %s", got, n.want)
}

func (c *checker) unlisted(n *Node) bool {
	if len(n.Enum) == 1 {
		return c.fault("value must be %s", n.listed)
	}
	return c.fault("value must be one of %s", n.listed)
}

// array checks an array.
func (c *checker) array(n *Node, depth int) bool {
	if n != nil && (n.Types&Array == 0 || n.Enum != nil) {
		if n.Types&Array == 0 && !c.mistyped(n, Array) || n.Types&Array != 0 && !c.unlisted(n) {
			return false
		}
		n = nil
	}
	var items *Node
	if n != nil {
		items = n.Items
	}
	c.Pos++
	count, top := 0, len(c.path)
	for more := c.Peek() != ']'; more; count++ {
		c.path = append(c.path[:top], step{index: count})
		if !c.value(items, depth+1) {
			return false
		}
		var ok bool
		if more, ok = c.Next(']'); !ok {
			return false
		}
	}
	c.path = c.path[:top]
	if count == 0 {
		c.Pos++
	}
	return n == nil || c.counted("Items", count, n.MinItems, n.MaxItems)
}

func (c *checker) counted(what string, got, least, most int) bool {
	if got < least && !c.fault("min%s: got %d, want %d", what, got, least) {
		return false
	}
	return most < 0 || got <= most || c.fault("max%s: got %d, want %d", what, got, most)
}
