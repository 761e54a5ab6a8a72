package compat

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/signalbox-ml/signalbox/events/schema"
)

// facet is a keyword that binds the values of one type.
type facet struct {
	name string
	of   schema.Types
	text func(n *schema.Node) string // what the node says, "" for nothing
	// order compares what two nodes say: positive where b is narrower than a, 0 where they say the same.
	order func(a, b *schema.Node) int
	// strange is set where two that differ cannot be put in an order.
	strange bool
}

var facets = []facet{
	bound("minimum", 1, func(n *schema.Node) *schema.Bound { return n.Minimum }),
	bound("maximum", -1, func(n *schema.Node) *schema.Bound { return n.Maximum }),
	{
		name: "multipleOf", of: schema.Number, strange: true, text: func(n *schema.Node) string { return n.MultipleOf },
		order: func(a, b *schema.Node) int {
			if a.MultipleOf == "" || b.MultipleOf == "" {
				return strings.Compare(b.MultipleOf, a.MultipleOf)
			}
			return schema.CompareNumbers(a.MultipleOf, b.MultipleOf)
		},
	},
	least("minLength", schema.String, func(n *schema.Node) int { return n.MinLength }),
	most("maxLength", schema.String, func(n *schema.Node) int { return n.MaxLength }),
	word("pattern", func(n *schema.Node) string { return n.Pattern }),
	word("format", func(n *schema.Node) string { return n.Format }),
	least("minItems", schema.Array, func(n *schema.Node) int { return n.MinItems }),
	most("maxItems", schema.Array, func(n *schema.Node) int { return n.MaxItems }),
	least("minProperties", schema.Object, func(n *schema.Node) int { return n.MinProperties }),
	most("maxProperties", schema.Object, func(n *schema.Node) int { return n.MaxProperties }),
}

func (c *comparer) facet(f facet, a, b *schema.Node, at string) {
	order, old, now := f.order(a, b), f.text(a), f.text(b)
	if order == 0 {
		return
	}
	why := different
	switch {
	case now == "" || !f.strange && order < 0:
		why = wider
	case old == "" || !f.strange && order > 0:
		why = narrower
	}
	c.fault(f.name, at+"/"+f.name, old, now, why)
}

// bound is a bound of numbers; side is 1 where larger is narrower, else -1.
func bound(name string, side int, get func(*schema.Node) *schema.Bound) facet {
	return facet{
		name: name, of: schema.Number,
		text: func(n *schema.Node) string {
			switch b := get(n); {
			case b == nil:
				return ""
			case b.Exclusive:
				return b.Number + " (exclusive)"
			default:
				return b.Number
			}
		},
		order: func(a, b *schema.Node) int {
			was, is := get(a), get(b)
			switch {
			case was == nil && is == nil:
				return 0
			case was == nil:
				return 1
			case is == nil:
				return -1
			}
			if order := side * schema.CompareNumbers(is.Number, was.Number); order != 0 {
				return order
			}
			return number(is.Exclusive) - number(was.Exclusive)
		},
	}
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// least is a lower bound of a count, which is 0 where nothing is said.
func least(name string, of schema.Types, get func(*schema.Node) int) facet {
	return facet{
		name: name, of: of,
		text:  func(n *schema.Node) string { return count(get(n)) },
		order: func(a, b *schema.Node) int { return max(get(b), 0) - max(get(a), 0) },
	}
}

// most is an upper bound of a count.
func most(name string, of schema.Types, get func(*schema.Node) int) facet {
	const none = 1 << 31 // more than a schema may say
	limit := func(n *schema.Node) int {
		if v := get(n); v >= 0 {
			return v
		}
		return none
	}
	return facet{
		name: name, of: of,
		text:  func(n *schema.Node) string { return count(get(n)) },
		order: func(a, b *schema.Node) int { return limit(a) - limit(b) },
	}
}

func count(n int) string {
	if n < 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// word is a keyword whose values are the same or cannot be compared.
func word(name string, get func(*schema.Node) string) facet {
	return facet{
		name: name, of: schema.String, strange: true, text: get,
		order: func(a, b *schema.Node) int { return strings.Compare(get(a), get(b)) },
	}
}

// quote writes a text as JSON.
func quote(text string) string {
	b, err := json.Marshal(text)
	if err != nil { // no string makes one
		return `""`
	}
	return string(b)
}

// clip bounds what is shown of a schema.
func clip(text string) string {
	if len(text) > maxText {
		text = text[:maxText] + "..."
	}
	return strings.ToValidUTF8(text, "")
}
