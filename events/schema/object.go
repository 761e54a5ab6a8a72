package schema

import (
	"bytes"

	"github.com/signalbox-ml/signalbox/events/lex"
)

// fewNames is how many names are compared one by one; more go into a map.
const fewNames = 32

// members is what is known of an object while it is read.
type members struct {
	node  *Node // nil where anything goes
	seen  int   // where its bits begin
	names int   // where its other names begin
	many  map[string]struct{}
	count int
	extra []string // the first names that are too much
}

// object checks an object.
func (c *checker) object(n *Node, depth int) bool {
	if n != nil && (n.Types&Object == 0 || n.Enum != nil) {
		if n.Types&Object == 0 && !c.mistyped(n, Object) || n.Types&Object != 0 && !c.unlisted(n) {
			return false
		}
		n = nil
	}
	m := members{node: n, seen: len(c.seen), names: len(c.names)}
	if n != nil {
		for range (len(n.Properties) + 63) / 64 {
			c.seen = append(c.seen, 0)
		}
	}
	c.Pos++
	for more := c.Peek() != '}'; more; m.count++ {
		ok := c.member(&m, depth)
		if !ok {
			return false
		}
		if more, ok = c.Next('}'); !ok {
			return false
		}
	}
	if m.count == 0 {
		c.Pos++
	}
	ok := n == nil || c.complete(&m)
	c.seen, c.names = c.seen[:m.seen], c.names[:m.names]
	return ok
}

// member checks one member.
func (c *checker) member(m *members, depth int) bool {
	name, escaped, ok := c.Key()
	if !ok {
		return false
	}
	if escaped {
		name = lex.Unescape(make([]byte, 0, len(name)), name)
	}
	node, declared, again := c.find(m, name)
	if again && !c.fault("member '%s' is there twice", name) {
		return false
	}
	if !declared && m.node != nil && m.node.Closed && len(m.extra) < maxFaults {
		m.extra = append(m.extra, string(name))
	}
	c.path = append(c.path, step{name: name})
	ok = c.value(node, depth+1)
	c.path = c.path[:len(c.path)-1]
	return ok
}

// find returns what the value of a member has to fit, and whether the member was there before.
func (c *checker) find(m *members, name []byte) (node *Node, declared, again bool) {
	if m.node != nil {
		if i, ok := m.node.index[string(name)]; ok {
			word, bit := &c.seen[m.seen+i/64], uint64(1)<<(i%64)
			again = *word&bit != 0
			*word |= bit
			return m.node.Properties[i].Node, true, again
		}
		node = m.node.Additional
	}
	return node, false, c.repeated(m, name)
}

// repeated notes the name of a member that is not declared.
func (c *checker) repeated(m *members, name []byte) bool {
	before := c.names[m.names:]
	if len(before) < fewNames {
		for _, other := range before {
			if bytes.Equal(other, name) {
				return true
			}
		}
		c.names = append(c.names, name)
		return false
	}
	if m.many == nil {
		m.many = make(map[string]struct{}, 4*fewNames)
		for _, other := range before {
			m.many[string(other)] = struct{}{}
		}
	}
	if _, ok := m.many[string(name)]; ok {
		return true
	}
	m.many[string(name)] = struct{}{}
	return false
}

// complete checks an object that was read.
func (c *checker) complete(m *members) bool {
	n := m.node
	for i, want := range n.required {
		if c.seen[m.seen+i]&want != want {
			if !c.missing(m) {
				return false
			}
			break
		}
	}
	if len(m.extra) > 0 && !c.fault("additional properties %s not allowed", quoted(m.extra)) {
		return false
	}
	return c.counted("Properties", m.count, n.MinProperties, n.MaxProperties)
}

func (c *checker) missing(m *members) bool {
	var names []string
	for i, p := range m.node.Properties {
		if p.Required && c.seen[m.seen+i/64]&(1<<(i%64)) == 0 && len(names) <= maxFaults {
			names = append(names, p.Name)
		}
	}
	if len(names) == 1 {
		return c.fault("missing property %s", quoted(names))
	}
	return c.fault("missing properties %s", quoted(names))
}
