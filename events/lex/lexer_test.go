package lex

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// read reads b as one value.
func read(b []byte, loose bool, depth int) (Lexer, bool) {
	l := Lexer{Data: b, Loose: loose}
	ok := l.Skip(depth) && l.End()
	return l, ok
}

func TestLoose(t *testing.T) {
	for text, want := range map[string]string{
		`"\ud800"`: "\ufffd", `"\udc00x"`: "\ufffdx", `"\ud800\u0041"`: "\ufffdA", `"\ud800\ud83d\ude00"`: "\ufffd😀", `"\ud83d\ude00"`: "😀", `"\ud800\n"`: "\ufffd\n",
		`"\"\\\/\b\f\r\t"`: "\"\\/\b\f\r\t", `"\ud83d"`: "\ufffd",
	} {
		l := Lexer{Data: []byte(text), Loose: true}
		raw, escaped, ok := l.Text()
		if got := string(Unescape(nil, raw)); !ok || !escaped || got != want || l.Pos != len(text) {
			t.Errorf("%s: %q %v, want %q", text, got, ok, want)
		}
	}
	if _, ok := read([]byte("\"\xff\""), true, 1); !ok {
		t.Error("bytes that are no UTF-8 do not pass")
	}
}

func TestDepth(t *testing.T) {
	for _, pair := range []string{"[]", `{"a":}`} {
		open, end := pair[:len(pair)-1], pair[len(pair)-1:]
		text := strings.Repeat(open, 5) + "1" + strings.Repeat(end, 5)
		if l, ok := read([]byte(text), false, 5); !ok {
			t.Errorf("%s: %s", text, l.Broken)
		}
		if l, ok := read([]byte(text), false, 4); ok || l.Broken != "it nests too deep" {
			t.Errorf("%s: %v %s", text, ok, l.Broken)
		}
	}
}

// FuzzSkip: loose is what encoding/json takes, strict is a part of it, and both know where a text ends.
func FuzzSkip(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e+3,true,false,null,"\u00e9\ud83d\ude00"]}`, `"\ud800"`, "\"\xff\"", ` [ ] `, `{}`, `01`, `1.`, `-`, `[1,]`, `nulll`, "\x00", `"\q"`, "\"\t\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		const depth = 10_000
		valid := json.Valid(b)
		l, ok := read(b, true, depth)
		if ok != valid {
			t.Errorf("%q: loose %v at %d %s, want %v", b, ok, l.Pos, l.Broken, valid)
		}
		strict, ok := read(b, false, depth)
		if ok && (!valid || !utf8.Valid(b)) || !ok && (strict.Broken == "" || strict.Pos > len(b)) {
			t.Errorf("%q: strict %v at %d %s", b, ok, strict.Pos, strict.Broken)
		}
		var want string
		if l = (Lexer{Data: b, Loose: true}); l.Peek() != '"' || json.Unmarshal(b, &want) != nil {
			return
		}
		if raw, _, ok := l.Text(); !ok || utf8.Valid(b) && string(Unescape(nil, raw)) != want {
			t.Errorf("%q says %q, want %q", b, Unescape(nil, raw), want)
		}
	})
}
