package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestCanonical(t *testing.T) {
	for in, want := range map[string]string{
		`{"b":1,"a":[true,null]}`:              `{"a":[true,null],"b":1}`,
		" { \"a\" : 1.0 }\n":                   `{"a":1}`,
		`{"é":1,"z":2,"\u0041":3}`:             `{"A":3,"z":2,"é":1}`,
		`[1e-9, 0.1, 1E2, -0]`:                 `[1e-9,0.1,100,0]`,
		`"<&>\u003c"`:                          `"<&><"`,
		`[9007199254740992,-9007199254740992]`: `[9007199254740992,-9007199254740992]`,
	} {
		got, err := Canonical([]byte(in))
		if err != nil || string(got) != want {
			t.Errorf("Canonical(%s) = %s, %v, want %s", in, got, err, want)
		}
	}
	for _, in := range []string{
		``, ` `, `{`, `{}{}`, `{} x`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, "\"\xff\"", `"\ud800"`, `[1,]`, `01`, `nan`, `1e400`,
		`9007199254740993`, `{"a":[-9007199254740993]}`, `123456789012345678901234567890`, "\xef\xbb\xbf{}",
	} {
		if got, err := Canonical([]byte(in)); !errors.Is(err, ErrInvalid) {
			t.Errorf("Canonical(%q) = %s, %v, want ErrInvalid", in, got, err)
		}
	}
}

func TestDecode(t *testing.T) {
	valid := signatureJSON(t, func(*Signature) {})
	var s Signature
	if err := Decode(valid, len(valid), &s); err != nil {
		t.Fatal(err)
	}
	if err := Decode(valid, len(valid)-1, &s); !errors.Is(err, ErrInvalid) {
		t.Errorf("a byte over the limit: %v, want ErrInvalid", err)
	}
	for _, tc := range []struct{ name, json, want string }{
		{"unknown member", `{"inputs":[{"name":"a","typ":"number"}]}`, "/inputs/0/typ: unknown member: want one of categories, name, nullable, type"},
		{"other case", `{"Runtime":"trees"}`, "/Runtime: unknown member"},
		{"two cases", `{"runtime":"trees","RUNTIME":"python"}`, "/RUNTIME: unknown member"},
		{"null", `{"runtime":null}`, "/runtime: want a string, got null"},
		{"null list", `{"inputs":null}`, "/inputs: want an array, got null"},
		{"number for text", `{"inputs":[{"name":7}]}`, "/inputs/0/name: want a string, got the number 7"},
		{"text for a number", `{"tolerance":"1"}`, "/tolerance: want a number, got a string"},
		{"text for a boolean", `{"inputs":[{"nullable":"yes"}]}`, "/inputs/0/nullable: want true or false, got a string"},
		{"array for an object", `[]`, "want an object, got an array"},
		{"pointer escapes", `{"a/b~c":1}`, "/a~1b~0c: unknown member"},
		{"every fault", `{"x":1,"y":2}`, "/x: unknown member: want one of format, golden, inputs, model, outputs, runtime, tolerance\n/y: "},
	} {
		err := Decode([]byte(tc.json), 1<<10, &s)
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %s", tc.name, err, tc.want)
		}
	}
	var n struct {
		N int64 `json:"n"`
	}
	if err := Decode([]byte(`{"n":1.5}`), 100, &n); err == nil || !strings.Contains(err.Error(), "/n: want an integer, got the number 1.5") {
		t.Errorf("fraction for an integer: %v", err)
	}
	many := `{"z":1`
	for i := range 1000 {
		many += `,"k` + strings.Repeat("x", i) + `":1`
	}
	var f *Fault
	if err := Decode([]byte(many+"}"), 1<<20, &n); !errors.As(err, &f) || len(err.Error()) > 1<<16 {
		t.Errorf("a thousand faults give an error of %d bytes", len(err.Error()))
	}
}

func FuzzCanonical(f *testing.F) {
	for _, s := range []string{`{"b":[1,2.5e3,"x\u00e9\n"],"a":{}}`, `null`, `"\ud83d\ude00"`, `{"a":1,"a":2}`, `-0.0`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Canonical(b)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("%v is no ErrInvalid", err)
			}
			return
		}
		if !json.Valid(c) {
			t.Fatalf("canonical form of %q is no JSON: %q", b, c)
		}
		again, err := Canonical(c)
		if err != nil || !bytes.Equal(again, c) {
			t.Fatalf("canonical form is not stable: %q, %q, %v", c, again, err)
		}
	})
}

func FuzzDecodeSignature(f *testing.F) {
	for _, v := range readVectors(f) {
		for _, file := range v.Files {
			if file.Path == SignatureFile {
				f.Add(file.Content)
			}
		}
	}
	f.Add([]byte(`{"inputs":[{"name":"a","type":"string","categories":["x","x"]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeSignature(b)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("%v is no ErrInvalid", err)
			}
			return
		}
		for i, c := range s.Inputs {
			if j, ok := s.Input(c.Name); !ok || i != j {
				t.Fatalf("input %q is at %d, %v, want %d", c.Name, j, ok, i)
			}
		}
	})
}
