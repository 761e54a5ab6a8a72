package segment

import (
	"encoding/json"
	"unicode/utf8"

	"github.com/signalbox-ml/signalbox/events/lex"
)

// maxDepth is how deep data may nest before it stops being text: some engine's parser recurses.
const maxDepth = 256

// strictJSON reports whether b is one JSON value that every engine reads alike: RFC 8259 in valid UTF-8, escaped
// surrogates in pairs, nested at most maxDepth. encoding/json lets lone surrogates pass, DuckDB's parser does not.
func strictJSON(b []byte) bool {
	l := lex.Lexer{Data: b}
	return l.Skip(maxDepth) && l.End()
}

// member is one of an object. Both alias the object's text.
type member struct {
	name    []byte // what stands between the quotes
	escaped bool
	value   []byte
}

// appendMembers is strictJSON that appends the members of b, if it is an object, to to.
func appendMembers(to []member, b []byte) ([]member, bool) {
	l := lex.Lexer{Data: b}
	if l.Peek() != '{' {
		return to, l.Skip(maxDepth) && l.End()
	}
	l.Pos++
	more, ok := l.Peek() != '}', true
	if !more {
		l.Pos++
	}
	for more {
		var m member
		if m.name, m.escaped, ok = l.Key(); !ok {
			return to, false
		}
		l.Peek()
		at := l.Pos
		if !l.Skip(maxDepth - 1) {
			return to, false
		}
		m.value = b[at:l.Pos]
		to = append(to, m)
		if more, ok = l.Next('}'); !ok {
			return to, false
		}
	}
	return to, l.End()
}

// appendString appends s, which is valid UTF-8, as a JSON string.
func appendString(dst, s []byte) []byte {
	for _, c := range s {
		if c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			q, _ := json.Marshal(string(s)) // a string cannot fail
			return append(dst, q...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}
