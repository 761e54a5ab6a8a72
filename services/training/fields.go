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

// children reads a member that is an array of at most limit objects, if it is there.
func (o object) children(fs *manifest.FaultList, name string, limit int) []object {
	var out []object
	for i, b := range o.list(fs, name, limit) {
		out = append(out, readObject(fs, o.pointer(name)+"/"+strconv.Itoa(i), b))
	}
	return out
}

// maxText bounds a text in a request, in bytes, where nothing else does.
const maxText = 1000

// text reads a member that is a string; "" where it is not there.
func (o object) text(fs *manifest.FaultList, name string) string { return o.textTo(fs, name, maxText) }

// needed is text that must be there.
func (o object) needed(fs *manifest.FaultList, name, problem string) string {
	v := o.text(fs, name)
	if b, ok := o.members[name]; !ok || kind(b) == "null" || string(bytes.TrimSpace(b)) == `""` {
		fs.Add(o.pointer(name), "%s", problem)
	}
	return v
}

// textTo is text of at most limit bytes.
func (o object) textTo(fs *manifest.FaultList, name string, limit int) string {
	v := member[string](fs, o, name, "a string")
	if len(v) > limit {
		fs.Add(o.pointer(name), "has %d bytes: at most %d are kept", len(v), limit)
		return ""
	}
	return v
}

// list reads a member that is an array of at most limit elements, if it is there.
func (o object) list(fs *manifest.FaultList, name string, limit int) []json.RawMessage {
	all := member[[]json.RawMessage](fs, o, name, "an array")
	if len(all) > limit {
		fs.Add(o.pointer(name), "has %d elements: at most %d are taken", len(all), limit)
		return nil
	}
	return all
}

// elements reads a member that is an array of one kind, such as strings, if it is there. An element that is of another one
// is faulted by itself, and zero; check, if any, judges the others.
func elements[T any](fs *manifest.FaultList, o object, name, what string, limit int, check func(at string, v T)) []T {
	var out []T
	for i, b := range o.list(fs, name, limit) {
		var v T
		at := o.pointer(name) + "/" + strconv.Itoa(i)
		if err := json.Unmarshal(b, &v); err != nil || kind(b) == "null" {
			fs.Add(at, "want %s, got %s", what, kind(b))
		} else if check != nil {
			check(at, v)
		}
		out = append(out, v)
	}
	return out
}

// names reads a member that is an array of names of columns, if it is there.
func (o object) names(fs *manifest.FaultList, name string) []string {
	return elements(fs, o, name, "a string", maxNames, func(at, v string) {
		fs.Check(v != "", at, "is empty")
		short(fs, at, v)
	})
}

func short(fs *manifest.FaultList, at, text string) {
	fs.Check(len(text) <= maxText, at, "has %d bytes: at most %d are kept", len(text), maxText)
}

// alike faults members whose name is one of ours but for its case: they would be the workflow's, and surely are not meant
// to be.
func (o object) alike(fs *manifest.FaultList, names ...string) {
	for _, have := range slices.Sorted(maps.Keys(o.members)) {
		for _, name := range names {
			fs.Check(have == name || !strings.EqualFold(have, name), o.pointer(have), "is written %s", name)
		}
	}
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
