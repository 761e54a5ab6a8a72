package training

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// object is a JSON object whose members are read one by one, so that one that is wrong hides no other.
type object struct {
	at      string
	members map[string]json.RawMessage
}

// readObject reads an object; the zero object, which has no members, where it is none.
func readObject(fs *manifest.FaultList, at string, b json.RawMessage) object {
	o := object{at: at}
	if kind(b) != "an object" {
		fs.Add(at, "want an object, got %s", kind(b))
		return o
	}
	if err := json.Unmarshal(b, &o.members); err != nil {
		fs.Add(at, "%v", err)
	}
	return o
}

// has reports whether a member is there and not null.
func (o object) has(name string) bool {
	b, ok := o.members[name]
	return ok && kind(b) != "null"
}

func (o object) pointer(name string) string { return o.at + "/" + manifest.Escape(name) }

// child reads a member that is an object, if it is there.
func (o object) child(fs *manifest.FaultList, name string) (object, bool) {
	if !o.has(name) {
		return object{at: o.pointer(name)}, false
	}
	return readObject(fs, o.pointer(name), o.members[name]), true
}

// children reads a member that is an array of objects, if it is there.
func (o object) children(fs *manifest.FaultList, name string) []object {
	var out []object
	for i, b := range member[[]json.RawMessage](fs, o, name, "an array") {
		out = append(out, readObject(fs, o.pointer(name)+"/"+strconv.Itoa(i), b))
	}
	return out
}

// text reads a member that is a string; "" where it is not there.
func (o object) text(fs *manifest.FaultList, name string) string {
	return member[string](fs, o, name, "a string")
}

// member reads a member, if it is there, in the form that what names.
func member[T any](fs *manifest.FaultList, o object, name, what string) T {
	var v T
	if !o.has(name) {
		return v
	}
	if err := json.Unmarshal(o.members[name], &v); err != nil {
		fs.Add(o.pointer(name), "want %s, got %s", what, kind(o.members[name]))
		var zero T
		return zero
	}
	return v
}

// oneOf checks that a text is among those that are known.
func oneOf(fs *manifest.FaultList, at, text string, known []string) bool {
	ok := slices.Contains(known, text)
	fs.Check(ok, at, "%.100q: want one of %s", text, strings.Join(known, ", "))
	return ok
}

// known refuses members that would be ignored: a misspelt option must not become a silent default.
func (o object) known(fs *manifest.FaultList, names ...string) {
	for _, name := range slices.Sorted(maps.Keys(o.members)) {
		fs.Check(slices.Contains(names, name), o.pointer(name), "unknown member: want one of %s", strings.Join(names, ", "))
	}
}

// kind names a JSON value's type in words.
func kind(b json.RawMessage) string {
	b = bytes.TrimSpace(b)
	if len(b) == 0 {
		return "nothing"
	}
	switch b[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}
