package manifest

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// Value is a text, number, boolean or null of a JSON text, and where it stands.
type Value struct {
	Path     []string   // names of members and indexes that lead to it; good until the next value
	Token    json.Token // a string, json.Number, bool or nil
	From, To int        // its bytes
}

// Pointer is the JSON pointer of v.
func (v Value) Pointer() string {
	var out strings.Builder
	for _, step := range v.Path {
		out.WriteString("/" + Escape(step))
	}
	return out.String()
}

// level is an array or object that a walk is in.
type level struct {
	array, named bool // named: a member's name was read, its value is next
	n            int  // elements so far
}

// Walk shows every value of a JSON text that is no array or object, in order, up to the first fault of the text.
func Walk(b []byte, see func(Value)) {
	var levels []level
	var path []string
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	for {
		tok, err := dec.Token()
		if err != nil {
			return
		}
		d, isDelim := tok.(json.Delim)
		if isDelim && (d == '}' || d == ']') {
			levels, path = levels[:len(levels)-1], path[:len(path)-1]
			continue
		}
		if n := len(levels); n > 0 && !levels[n-1].step(tok, &path[n-1]) {
			continue
		}
		if isDelim {
			levels, path = append(levels, level{array: d == '['}), append(path, "")
			continue
		}
		to := int(dec.InputOffset())
		see(Value{Path: path, Token: tok, From: start(b, tok, to), To: to})
	}
}

// step notes at what a level has come with a token. It is false for the name of a member.
func (l *level) step(tok json.Token, at *string) bool {
	switch {
	case l.array:
		*at = strconv.Itoa(l.n)
		l.n++
	case !l.named:
		*at, _ = tok.(string)
		l.named = true
		return false
	default:
		l.named = false
	}
	return true
}

// start is where a value that ends at to begins.
func start(b []byte, tok json.Token, to int) int {
	switch tok := tok.(type) {
	case json.Number:
		return to - len(tok)
	case bool:
		return to - len(strconv.FormatBool(tok))
	case nil:
		return to - len("null")
	}
	for i := to - 2; ; i-- {
		if b[i] != '"' {
			continue
		}
		escapes := len(b[:i]) - len(bytes.TrimRight(b[:i], `\`))
		if escapes%2 == 0 {
			return i
		}
	}
}
