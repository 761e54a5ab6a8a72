package spec

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// converter turns YAML nodes into what JSON can say, and notes the line of every member.
type converter struct {
	lines  map[string]int // JSON pointer: line
	faults manifest.FaultList
}

// line returns the line of the member at path, or of the nearest one around it.
func (c *converter) line(path string) int {
	for {
		if n, ok := c.lines[path]; ok {
			return n
		}
		i := strings.LastIndexByte(path, '/')
		if i < 0 {
			return 1
		}
		path = path[:i]
	}
}

func (c *converter) value(n *yaml.Node, path string) any {
	if _, ok := c.lines[path]; !ok { // a member's own line is that of its name
		c.lines[path] = n.Line
	}
	if n.Anchor != "" || n.Kind == yaml.AliasNode {
		c.faults.Add(path, "anchors and aliases are not supported: write the value out")
		return nil
	}
	switch n.Kind {
	case yaml.MappingNode:
		return c.mapping(n, path)
	case yaml.SequenceNode:
		out := make([]any, len(n.Content))
		for i, e := range n.Content {
			out[i] = c.value(e, path+"/"+strconv.Itoa(i))
		}
		return out
	}
	return c.scalar(n, path)
}

func (c *converter) mapping(n *yaml.Node, path string) any {
	out := make(map[string]any, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		member := at(path, k.Value)
		if k.Kind != yaml.ScalarNode || k.Tag == "!!merge" {
			c.faults.Add(path, "a member's name must be plain text")
			continue
		}
		_, twice := out[k.Value]
		c.lines[member] = k.Line
		if twice {
			c.faults.Add(member, "is there twice")
			continue
		}
		out[k.Value] = c.value(n.Content[i+1], member)
	}
	return out
}

func (c *converter) scalar(n *yaml.Node, path string) any {
	switch n.Tag {
	case "!!str", "!!timestamp": // an unquoted time is text, as in JSON
		return n.Value
	case "!!null":
		return nil
	case "!!bool":
		var b bool
		c.faults.Err(path, n.Decode(&b))
		return b
	case "!!int":
		var i int64
		c.faults.Err(path, n.Decode(&i))
		return i
	case "!!float":
		var f float64
		c.faults.Err(path, n.Decode(&f))
		if math.IsInf(f, 0) || math.IsNaN(f) {
			c.faults.Add(path, "JSON has no number %s", n.Value)
			return nil
		}
		return json.Number(strconv.FormatFloat(f, 'g', -1, 64))
	}
	c.faults.Add(path, "YAML tag %s is not supported", n.Tag)
	return nil
}
