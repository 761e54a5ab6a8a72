package schema

import (
	"strings"
	"unicode/utf8"

	"github.com/signalbox-ml/signalbox/events/lex"
)

// compiled is what a node keeps to check quickly.
type compiled struct {
	want     string              // Types in words
	listed   string              // Enum in words
	index    map[string]int      // Properties by name
	required []uint64            // bits of Properties
	texts    map[string]bool     // of Enum
	numbers  map[string]bool     // of Enum, by key
	matches  func([]byte) bool   // the pattern
	format   func([]byte) string // what is wrong with a text
	multiple *factor
	plain    bool // any text will do
}

// string checks a string.
func (c *checker) string(n *Node) bool {
	raw, escaped, ok := c.Text()
	switch {
	case !ok:
		return false
	case n == nil || n.plain:
		return true
	case n.Types&String == 0:
		return c.mistyped(n, String)
	}
	if escaped {
		c.text = lex.Unescape(c.text[:0], raw)
		raw = c.text
	}
	if n.Enum != nil && !n.texts[string(raw)] && !c.unlisted(n) {
		return false
	}
	if n.MinLength > 0 || n.MaxLength >= 0 {
		size := len(raw)
		if size >= n.MinLength {
			size = utf8.RuneCount(raw)
		}
		switch {
		case size < n.MinLength:
			return c.fault("minLength: got %d, want %d", size, n.MinLength)
		case n.MaxLength >= 0 && size > n.MaxLength:
			return c.fault("maxLength: got %d, want %d", size, n.MaxLength)
		}
	}
	if n.matches != nil && !n.matches(raw) && !c.fault("'%s' does not match pattern '%s'", short(raw), n.Pattern) {
		return false
	}
	if n.format != nil {
		if why := n.format(raw); why != "" {
			return c.fault("'%s' is not valid %s: %s", short(raw), n.Format, why)
		}
	}
	return true
}

// short keeps a fault from quoting more of a text than it says.
func short(text []byte) string {
	const most = 100
	if len(text) > most {
		return strings.ToValidUTF8(string(text[:most]), "") + "..."
	}
	return string(text)
}

// number checks a number.
func (c *checker) number(n *Node) bool {
	text, whole, ok := c.Lexer.Number()
	switch {
	case !ok:
		return false
	case n == nil || n.Types&Number != 0 && n.Minimum == nil && n.Maximum == nil && n.multiple == nil && n.Enum == nil:
		return true
	case n.Types&(Number|Integer) == 0:
		return c.mistyped(n, Number)
	case whole && n.Minimum == nil && n.Maximum == nil && n.multiple == nil && n.Enum == nil:
		return true
	}
	d := parseDecimal(text)
	if n.Types&Number == 0 && !d.whole() {
		return c.mistyped(n, Number)
	}
	if n.Enum != nil {
		c.text = d.appendKey(c.text[:0])
		if !n.numbers[string(c.text)] && !c.unlisted(n) {
			return false
		}
	}
	return c.ranged(n, d, text)
}

func (c *checker) ranged(n *Node, d decimal, text []byte) bool {
	if n.Minimum != nil {
		switch order := d.compare(n.Minimum.decimal); {
		case order < 0 && !n.Minimum.Exclusive:
			return c.fault("minimum: got %s, want %s", short(text), n.Minimum.Number)
		case order <= 0 && n.Minimum.Exclusive:
			return c.fault("exclusiveMinimum: got %s, want more than %s", short(text), n.Minimum.Number)
		}
	}
	if n.Maximum != nil {
		switch order := d.compare(n.Maximum.decimal); {
		case order > 0 && !n.Maximum.Exclusive:
			return c.fault("maximum: got %s, want %s", short(text), n.Maximum.Number)
		case order >= 0 && n.Maximum.Exclusive:
			return c.fault("exclusiveMaximum: got %s, want less than %s", short(text), n.Maximum.Number)
		}
	}
	if n.multiple != nil && !n.multiple.divides(d) {
		return c.fault("multipleOf: got %s, want a multiple of %s", short(text), n.MultipleOf)
	}
	return true
}

func (n *Node) hasWord(typ Types, text string) bool {
	for _, l := range n.Enum {
		if l.Type == typ && l.Text == text {
			return true
		}
	}
	return false
}

// prepare makes of what a node says what checks need. Everything in it was found valid.
func (n *Node) prepare() {
	n.want = n.Types.String()
	n.index = make(map[string]int, len(n.Properties))
	n.required = make([]uint64, (len(n.Properties)+63)/64)
	for i, p := range n.Properties {
		n.index[p.Name] = i
		if p.Required {
			n.required[i/64] |= 1 << (i % 64)
		}
	}
	var list []string
	n.texts, n.numbers = make(map[string]bool, len(n.Enum)), map[string]bool{}
	for _, l := range n.Enum {
		text := l.Text
		switch l.Type {
		case String:
			n.texts[text] = true
			text = "'" + text + "'"
		case Number:
			n.numbers[string(l.decimal.appendKey(nil))] = true
		}
		list = append(list, text)
	}
	n.listed = strings.Join(list, ", ")
	n.format = formats[n.Format]
	n.plain = n.Types&String != 0 && n.Enum == nil && n.MinLength <= 0 && n.MaxLength < 0 && n.matches == nil && n.format == nil
}
