package versions

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// examples reads the examples of a version.
func (c *check) examples(v Version) (valid, invalid map[string]json.RawMessage) {
	file := v.examplesPath()
	if v.Examples == nil {
		c.fault(file, "", "the file is missing: want {\"valid\": {<name>: <data>}, \"invalid\": {<name>: <data>}} with at least one of each")
		return nil, nil
	}
	var doc struct{ Valid, Invalid map[string]json.RawMessage }
	d := json.NewDecoder(bytes.NewReader(v.Examples))
	d.DisallowUnknownFields()
	if err := d.Decode(&doc); err != nil || d.More() {
		c.fault(file, "", "want one object {\"valid\": {<name>: <data>}, \"invalid\": {<name>: <data>}}: %v", err)
		return nil, nil
	}
	if len(doc.Valid) == 0 {
		c.fault(file, "/valid", "give at least one example that fits the schema")
	}
	if len(doc.Invalid) == 0 {
		c.fault(file, "/invalid", "give at least one example that does not fit the schema, named by what is wrong with it")
	}
	return doc.Valid, doc.Invalid
}

func (v Version) examplesPath() string {
	dir, minor := splitPath(v.Path)
	return dir + "/examples/" + minor
}

func splitPath(name string) (dir, file string) {
	i := strings.LastIndexByte(name, '/')
	return name[:i], name[i+1:]
}

// replay holds examples of a version against it, and the valid ones against every other version of the major.
func (c *check) replay(v compiled, line []compiled) {
	file := v.examplesPath()
	for _, name := range slices.Sorted(maps.Keys(v.valid)) {
		for _, other := range line {
			if other.schema == nil {
				continue
			}
			if err := other.schema.Check(v.valid[name]); err != nil {
				c.fault(file, "/valid/"+escape(name), "it does not fit %s: %v", other.Path, err)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.invalid)) {
		if v.schema != nil && v.schema.Check(v.invalid[name]) == nil {
			c.fault(file, "/invalid/"+escape(name), "it fits %s: correct the example or the schema", v.Path)
		}
	}
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

func escape(name string) string { return pointerEscapes.Replace(name) }
