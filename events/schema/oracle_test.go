package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// oracle compiles a schema with an independent implementation of all of JSON Schema.
func oracle(doc []byte) (*jsonschema.Schema, error) {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	if err != nil {
		return nil, err
	}
	const name = "https://signalbox.invalid/schema.json"
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.UseLoader(jsonschema.SchemeURLLoader{})
	if err := c.AddResource(name, v); err != nil {
		return nil, err
	}
	return c.Compile(name)
}

// fits is the oracle's verdict on data.
func fits(s *jsonschema.Schema, data []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

var (
	// farExponent is a number that the oracle would write out.
	farExponent = regexp.MustCompile(`[eE][+-]?0*[1-9]\d{3}`)
	// signed is a number within a date or an address that has a sign of its own, which the oracle lets pass.
	signed = regexp.MustCompile(`(?:^|[^0-9])[+-][0-9]`)
)

// differs says why we refuse what the oracle takes, or "" where there is no good reason.
func differs(data []byte, err error) string {
	var bad *Error
	if !errors.As(err, &bad) {
		return ""
	}
	for _, f := range bad.Faults {
		switch m := f.Message; {
		case strings.Contains(m, "is there twice"):
			return "parsers disagree about members that are there twice"
		case strings.HasPrefix(m, "want JSON") && strings.Contains(m, "surrogate"), strings.HasPrefix(m, "want JSON") && !utf8.Valid(data):
			return "text that is no Unicode"
		case strings.HasPrefix(m, "want JSON") && strings.Contains(m, tooDeep):
			return "depth"
		case strings.Contains(m, "is not valid") && signed.Match(data):
			return "signs within formats"
		}
	}
	return ""
}

// compare fails where the two come to different verdicts.
func compare(t *testing.T, ours *Schema, theirs *jsonschema.Schema, doc, data []byte) (took bool) {
	t.Helper()
	err := ours.Check(data)
	if farExponent.Match(data) {
		return err == nil
	}
	want := fits(theirs, data)
	switch {
	case (err == nil) == (want == nil):
	case err == nil:
		t.Errorf("taken, and the oracle says %v\nschema %s\ndata %q", want, doc, data)
	case differs(data, err) == "":
		t.Errorf("refused, and the oracle takes it: %v\nschema %s\ndata %q", err, doc, data)
	}
	return err == nil
}

// FuzzCheckAgainstOracle makes a schema and values from seed, and checks raw as well.
func FuzzCheckAgainstOracle(f *testing.F) {
	for i := range 64 {
		f.Add(bytes.Repeat([]byte{byte(i * 37), byte(i), byte(i * 101), 3, byte(255 - i)}, 12), []byte(`{"a":1,"b":["x",null]}`))
	}
	f.Add([]byte("schema"), []byte(`{"a":1,"a":2}`))
	f.Add([]byte("schema"), []byte(`"\ud800"`))
	f.Fuzz(func(t *testing.T, seed, raw []byte) {
		g := &maker{seed: seed}
		doc := g.document()
		ours, err := Compile(doc)
		theirs, why := oracle(doc)
		if err != nil {
			if !json.Valid(doc) || why != nil && !strings.Contains(err.Error(), "/") {
				t.Errorf("the maker makes no schemas: %v\n%s", why, doc)
			}
			return // what is refused is in TestRefused
		}
		if why != nil {
			t.Fatalf("compiled, and the oracle says %v\nschema %s", why, doc)
		}
		for range 4 {
			compare(t, ours, theirs, doc, g.value(0))
			compare(t, ours, theirs, doc, []byte(g.fitting(ours.Root(), 0)))
		}
		compare(t, ours, theirs, doc, raw)
	})
}

// TestMakerIsProductive: the fuzz test would show nothing if all that it made was refused, or taken.
func TestMakerIsProductive(t *testing.T) {
	var compiled, took, refused int
	for i := range 3000 {
		g := &maker{seed: fmt.Appendf(nil, "%d", i), state: uint64(i)*0x9e3779b97f4a7c15 + 1}
		doc := g.document()
		ours, err := Compile(doc)
		if err != nil {
			continue
		}
		theirs, err := oracle(doc)
		if err != nil {
			t.Fatalf("%v\n%s", err, doc)
		}
		compiled++
		for i := range 8 {
			data := g.value(0)
			if i%2 == 0 {
				data = []byte(g.fitting(ours.Root(), 0))
			}
			if compare(t, ours, theirs, doc, data) {
				took++
			} else {
				refused++
			}
		}
	}
	if compiled < 2000 || took < 3000 || refused < 3000 {
		t.Errorf("%d schemas, %d values taken, %d refused", compiled, took, refused)
	}
	t.Logf("%d schemas, %d values taken, %d refused", compiled, took, refused)
}

// FuzzCompile: no schema makes a panic, and what we compile is a JSON Schema for others too.
func FuzzCompile(f *testing.F) {
	for i := range 32 {
		f.Add((&maker{state: uint64(i)*0x9e3779b97f4a7c15 + 1}).document())
	}
	for _, doc := range []string{`{"$defs":{"a":{"$ref":"#/$defs/b"},"b":{}},"$ref":"#/$defs/a"}`, `{"oneOf":[{}]}`, `{"pattern":"^a{2,3}[b-d]*$"}`, `{"$id":"a:b"}`} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		s, err := Compile(doc)
		var bad *CompileError
		if err != nil {
			if !errors.As(err, &bad) || len(bad.Faults) == 0 {
				t.Errorf("%T without faults", err)
			}
			return
		}
		_ = s.Check([]byte(`{"a":[1,"x",{"b":null}]}`))
		if _, err := oracle(doc); err != nil && !farExponent.Match(doc) {
			t.Errorf("compiled, and the oracle says %v: %q", err, doc)
		}
	})
}

// FuzzPattern: the quick way and the engine match the same texts.
func FuzzPattern(f *testing.F) {
	for _, p := range []string{`^[A-Z]{3}$`, `^sha256\.[A-Z2-7]{51}[AQ]$`, `^[a-z]+-?[0-9]*$`, `^a*a$`, `^[ab]+[bc]{2}$`, `^\d{4}-\d\d$`, `^(a)$`, `^a|b$`, `^$`, `^(?i)a$`, `^[^a]$`, `^a{0,2}b?c+$`} {
		f.Add(p, "ABC", "aab-12")
	}
	f.Fuzz(func(t *testing.T, pattern, a, b string) {
		re, err := regexp.Compile(pattern)
		if err != nil || len(pattern) > 100 {
			return
		}
		match := matcher(re)
		for _, text := range []string{a, b, a + b, ""} {
			if match([]byte(text)) != re.MatchString(text) {
				t.Errorf("%q on %q: %v", pattern, text, match([]byte(text)))
			}
		}
	})
}
