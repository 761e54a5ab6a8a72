package compat

import (
	"slices"
	"strings"

	"github.com/signalbox-ml/signalbox/events/schema"
)

// content says what an object's members are beyond those that it declares.
func content(n *schema.Node) string {
	switch {
	case n.Closed:
		return "closed"
	case !open(n):
		return "additionalProperties with a schema"
	case len(n.Properties) == 0:
		return "free-form, no member is declared"
	}
	return "open"
}

// open reports whether members that are not declared may be anything.
func open(n *schema.Node) bool { return !n.Closed && isAnything(n.Additional) }

// isAnything reports whether a place takes every value. {} does, as nothing at all does.
func isAnything(n *schema.Node) bool {
	if n == nil {
		return true
	}
	c := &comparer{budget: 2, exact: true} // a deeper look would find a place that something is said of
	c.node(anything, n, "")
	return len(c.faults) == 0
}

// object compares what two versions say of the members of an object.
func (c *comparer) object(a, b *schema.Node, at string) {
	was, is := content(a), content(b)
	if was != is {
		why := narrower
		if a.Closed {
			why = wider
		}
		c.fault(contentRule(a, b), at+"/additionalProperties", was, is, why)
	} else if !a.Closed {
		c.node(a.Additional, b.Additional, at+"/additionalProperties")
	}
	for _, p := range a.Properties {
		if i, ok := find(b.Properties, p.Name); ok {
			c.member(p, b.Properties[i], at)
			continue
		}
		c.fault("removed", pointer(at, p.Name), describe(p), "",
			"readers of the earlier version look for it, and a later version could bring the name back with another meaning; keep it, with deprecated: true")
	}
	for _, p := range b.Properties {
		if _, ok := find(a.Properties, p.Name); !ok {
			c.added(p, a, at)
		}
	}
}

// find looks a name up in what a node declares, which is sorted.
func find(list []schema.Property, name string) (int, bool) {
	return slices.BinarySearchFunc(list, name, func(p schema.Property, name string) int { return strings.Compare(p.Name, name) })
}

// contentRule tells apart the two things that a change of the content can break.
func contentRule(a, b *schema.Node) string {
	if open(a) && open(b) {
		return "free-form"
	}
	return "additionalProperties"
}

// member compares a member that both versions declare.
func (c *comparer) member(p, q schema.Property, at string) {
	if p.Required != q.Required {
		why := narrower
		if p.Required {
			why = "readers of the earlier version refuse events without it"
		}
		c.fault("required", at+"/required", p.Name+" "+need(p), q.Name+" "+need(q), why)
	}
	if p.Column != q.Column && (p.Column != "" || c.exact) {
		why := "files of the archive have the column by the earlier name"
		if p.Column == "" {
			why = published
		}
		c.fault("column", pointer(at, p.Name)+"/x-signalbox-column", p.Column, q.Column, why)
	}
	c.node(p.Node, q.Node, pointer(at, p.Name))
}

// added judges a member that only the later version declares, by the object that the earlier one has.
func (c *comparer) added(p schema.Property, a *schema.Node, at string) {
	here := pointer(at, p.Name)
	now := describe(p)
	switch {
	case c.exact:
		c.fault("added", here, "", now, published)
	case a.Closed:
		c.fault("closed", here, "", now, "readers of the earlier version refuse members that it does not declare: additionalProperties is false")
	case !open(a):
		c.fault("map", here, "", now, "the earlier version allows the name as one of its additionalProperties")
	}
	if p.Required {
		c.fault("required", at+"/required", "", p.Name+" "+need(p), "events of the earlier version do not have it; make it optional")
	}
	required := 0
	for _, q := range a.Properties {
		if q.Required {
			required++
		}
	}
	if a.MinProperties > required {
		c.fault("count", here, "", now, "readers of the earlier version leave the member out and may then count fewer than minProperties")
	}
}

func need(p schema.Property) string {
	if p.Required {
		return "required"
	}
	return "optional"
}

func describe(p schema.Property) string {
	types := "anything"
	if p.Node != nil {
		types = p.Node.Types.String()
		if list, ok := values(p.Node); ok {
			types = join(list)
		}
	}
	return need(p) + " " + types
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// pointer leads to a member.
func pointer(at, name string) string { return at + "/properties/" + pointerEscapes.Replace(name) }
