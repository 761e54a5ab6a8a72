package segment

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestStrictJSON(t *testing.T) {
	deep := strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth)
	for _, good := range []string{
		`{}`, ` [ ] `, `{"a":[1,-0,0.5,1e9,2E-3,-1.25e+7],"b":{"c":null,"d":true,"e":false}}`, `"x"`, `"\u00e9\ud83d\ude00\\\/\n"`, `0`, `"é😀"`, deep[1 : len(deep)-1],
	} {
		if !strictJSON([]byte(good)) {
			t.Errorf("refused %s", good)
		}
	}
	for _, bad := range []string{
		``, ` `, `{`, `[1,]`, `{"a":1,}`, `{"a"}`, `{a:1}`, `01`, `-`, `1.`, `.5`, `1e`, `+1`, `NaN`, `tru`, `nulll`, `"`, `"\x"`, `"\u12"`, "\"\n\"", `[1 2]`, `1 2`,
		"\"\xff\"", `"\ud83d"`, `"\ud83d\u0041"`, `"\ude00"`, `"\ud83d\n"`, deep + "x", "[" + deep + "]",
	} {
		if strictJSON([]byte(bad)) {
			t.Errorf("accepted %s", bad)
		}
	}
}

// FuzzStrictJSON has encoding/json as its oracle: what strictJSON accepts is JSON, and what it refuses is not, is not
// UTF-8, has a lone surrogate, or nests too deep.
func FuzzStrictJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e-3,null,true]}`, `"\ud83d\ude00"`, `"\ud83d"`, "\"\xff\"", `[[[]]]`, ` 0 `, `-1`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, want := strictJSON(b), json.Valid(b) && utf8.Valid(b)
		if got && !want {
			t.Fatalf("accepted %q", b)
		}
		excused := strings.Contains(strings.ToLower(string(b)), `\ud`) || strings.Count(string(b), "[")+strings.Count(string(b), "{") >= maxDepth
		if want && !got && !excused {
			t.Fatalf("refused %q", b)
		}
	})
}

func FuzzAppendString(f *testing.F) {
	f.Add("plain")
	f.Add("\"\\\x00\u2028é")
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return
		}
		var back string
		if err := json.Unmarshal(appendString(nil, []byte(s)), &back); err != nil || back != s {
			t.Fatalf("%q came back as %q, %v", s, back, err)
		}
	})
}
