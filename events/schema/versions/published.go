package versions

import (
	"maps"
	"slices"
	"strings"

	"github.com/signalbox-ml/signalbox/events/schema"
	"github.com/signalbox-ml/signalbox/events/schema/compat"
)

// published compares files with what they were.
func (c *check) published(all []Version, published map[string][]byte) {
	now := map[string]Version{}
	for _, v := range all {
		now[v.Path] = v
	}
	for _, name := range slices.Sorted(maps.Keys(published)) {
		v, ok := now[name]
		if !ok {
			if isVersion(name) {
				c.fault(name, "", "it is published and gone: bring it back, events refer to it")
			}
			continue
		}
		was, err := schema.Compile(published[name])
		is, other := schema.Compile(v.Schema)
		if err != nil || other != nil { // the latter is among the faults; the former was no schema that binds anybody
			continue
		}
		for _, f := range compat.Same(was, is) {
			c.fault(name, f.Pointer, "%s. A published version does not change: put it into the next minor, or take it back", f)
		}
	}
}

// isVersion reports whether a path is one of a version.
func isVersion(name string) bool {
	parts := strings.Split(name, "/")
	if len(parts) != 3 {
		return false
	}
	_, major := count(parts[1])
	stem, ok := strings.CutSuffix(parts[2], ".json")
	_, minor := count(stem)
	return major && minor && ok
}
