package schema

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func compile(t testing.TB, doc string) *Schema {
	t.Helper()
	s, err := Compile([]byte(doc))
	if err != nil {
		t.Fatalf("%s: %v", doc, err)
	}
	return s
}

// TestKeywords has for each keyword what fits and what does not.
func TestKeywords(t *testing.T) {
	for _, c := range []struct {
		schema   string
		fit, not string // separated by blanks
	}{
		{`{}`, `1 "a" null true [] {"a":[1,{}]}`, ``},
		{`{"type":"null"}`, `null`, `1 "null" false [] {}`},
		{`{"type":"boolean"}`, `true false`, `0 null "true" [] {}`},
		{`{"type":"integer"}`, `0 -7 1.0 1e2 1.50e1 0.0 0e-9 123456789012345678901234567890`, `1.5 1e-1 0.001 "1" null [] {}`},
		{`{"type":"number"}`, `0 -0.5 1e9 1E-400`, `"1" null true [] {}`},
		{`{"type":"string"}`, `"" "a"`, `1 null true [] {}`},
		{`{"type":"array"}`, `[] [1,"a"]`, `1 "a" null true {}`},
		{`{"type":"object"}`, `{} {"a":1}`, `1 "a" null true []`},
		{`{"type":["string","null"]}`, `"a" null`, `1 true [] {}`},
		{`{"type":["integer","number"]}`, `1 1.5`, `"1"`},
		{`{"enum":["a","é",1,true,null]}`, `"a" "\u0061" "é" "\u00e9" 1 1.0 10e-1 true null`, `"b" "1" 2 false [] {} ["a"] {"a":1}`},
		{`{"const":1.50}`, `1.5 15e-1 1.500`, `1 "1.5"`},
		{`{"const":"x"}`, `"x"`, `"y" 1 null`},
		{`{"const":0}`, `0 -0 0.0 0e5`, `1 false null`},
		{`{"minimum":-1.5}`, `-1.5 -1.50 -1.4 0 7 "a" -15e-1`, `-1.51 -2 -1e9 -1.5000000000000000000001`},
		{`{"maximum":100}`, `100 1e2 99.999 -5 100.0`, `100.1 101 1e3 100.00000000000000000000001`},
		{`{"exclusiveMinimum":0}`, `1 0.0000000000000000000000001 1e-400 "a"`, `0 -0 0.0 -1`},
		{`{"exclusiveMaximum":9007199254740993}`, `9007199254740992 9007199254740992.9`, `9007199254740993 9007199254740993.0 9007199254740994`},
		{`{"minimum":1,"exclusiveMinimum":1}`, `2`, `1 0`},
		{`{"minimum":2,"exclusiveMinimum":1}`, `2`, `1.9`},
		{`{"multipleOf":3}`, `0 3 -9 3e5 300000000000000000000000000003 1.5e1`, `1 4 1e5 1.5`},
		{`{"multipleOf":0.01}`, `0 0.01 19.99 4.35 1e9 -0.07`, `0.001 19.995 1e-3`},
		{`{"multipleOf":2.5}`, `0 2.5 5 10.0 1e99`, `1 2.4`},
		{`{"multipleOf":100}`, `0 100 1e2 1e400`, `10 50 1`},
		{`{"minLength":2}`, `"ab" "éé" "😀😀" "\ud83d\ude00a" 1`, `"" "a" "é" "😀" "\ud83d\ude00"`},
		{`{"maxLength":2}`, `"" "ab" "éé" "😀😀" "\u00e9\u00e9" 123`, `"abc" "ééé"`},
		{`{"pattern":"b+"}`, `"abc" "b" "a\u0062" 1`, `"ac" ""`},
		{`{"pattern":"^[A-Z]{3}$"}`, `"JFK"`, `"JF" "JFKX" "jfk" "JF\u00c9" "JFK\n"`},
		{`{"pattern":"^[A-Z]+-?[0-9]*$"}`, `"A" "AB-12" "A1"`, `"" "-1" "A1-"`},
		{`{"minItems":1,"maxItems":2}`, `[1] [1,2] "a" {}`, `[] [1,2,3]`},
		{`{"items":{"type":"integer"}}`, `[] [1,2] {"a":"b"}`, `["a"] [1,"a"] [[1]]`},
		{`{"properties":{"a":{"type":"integer"}}}`, `{} {"a":1} {"b":"x"} [] "a"`, `{"a":"x"} {"\u0061":"x"}`},
		{`{"properties":{"a":{}},"additionalProperties":false}`, `{} {"a":[1]}`, `{"b":1} {"a":1,"A":1}`},
		{`{"additionalProperties":{"type":"number"}}`, `{} {"x":1,"y":2}`, `{"x":"1"}`},
		{`{"additionalProperties":true}`, `{"x":1}`, ``},
		{`{"required":["a","é"]}`, `{"a":1,"é":2} {"\u00e9":1,"a":null} []`, `{} {"a":1} {"é":1}`},
		{`{"required":["a"],"additionalProperties":{"type":"integer"}}`, `{"a":1}`, `{"a":"x"} {}`},
		{`{"minProperties":1,"maxProperties":2}`, `{"a":1} {"a":1,"b":2} []`, `{} {"a":1,"b":2,"c":3}`},
		{`{"$defs":{"a/b":{"type":"integer"},"c":{"items":{"$ref":"#/$defs/a~1b","title":"x"}}},"properties":{"x":{"$ref":"#/$defs/c"},"y":{"$ref":"#/$defs/a%7E1b"}}}`,
			`{"x":[1],"y":2}`, `{"x":["a"]} {"y":"a"}`},
		{`{"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"https://example.org/a","$comment":"x","title":"t","description":"d","examples":[1],"default":2,"deprecated":true,"readOnly":true,"writeOnly":false}`, `1`, ``},
	} {
		s := compile(t, c.schema)
		for _, data := range strings.Fields(c.fit) {
			if err := s.Check([]byte(data)); err != nil {
				t.Errorf("%s refuses %s: %v", c.schema, data, err)
			}
		}
		for _, data := range strings.Fields(c.not) {
			if s.Check([]byte(data)) == nil {
				t.Errorf("%s takes %s", c.schema, data)
			}
		}
	}
}

func TestFormats(t *testing.T) {
	for format, c := range map[string]struct{ fit, not string }{
		"date-time": {`2026-01-02T15:04:05Z 2026-01-02t15:04:05.123456789z 2024-02-29T00:00:00+14:00 2016-12-31T23:59:60Z 2017-01-01T00:59:60+01:00`,
			`2026-01-02 2026-01-02T15:04:05 2023-02-29T00:00:00Z 2026-13-01T00:00:00Z 2026-01-02T24:00:00Z 2026-01-02T15:04:60Z 2026-01-02T15:04:05.Z 2026-01-02T15:04:05+1:00 2026-01-02T15:04Z 2026-01-02Tx`},
		"date": {`2026-01-02 2000-02-29 0000-01-01`, `1900-02-29 2026-1-2 2026-01-32 20260102 2026-00-01 2026-04-31 x`},
		"time": {`15:04:05Z 15:04:05.1+01:00 23:59:60Z 00:00:00-23:59 22:59:60-01:00`, `15:04:05 24:00:00Z 15:60:00Z 15:04:05+24:00 15:04:05+01:60 +1:00:00Z 15:04:05Zx`},
		"uuid": {`9081e64f-b2c0-455e-bcaa-c1c211fa124b 9081E64F-B2C0-455E-BCAA-C1C211FA124B`,
			`9081e64fb2c0455ebcaac1c211fa124b 9081e64f-b2c0-455e-bcaa-c1c211fa124 9081e64f-b2c0-455e-bcaa-c1c211fa124g 9081e64fxb2c0-455e-bcaa-c1c211fa124b`},
		"ipv4":          {`0.0.0.0 255.255.255.255 10.1.2.3`, `256.1.1.1 1.1.1 1.1.1.1.1 01.1.1.1 1.1.1.a 1..1.1 1.1.1.1. +1.1.1.1`},
		"ipv6":          {`::1 2001:db8::1 ::ffff:1.2.3.4`, `1.2.3.4 ::g fe80::1%eth0 1::2::3`},
		"hostname":      {`a example.org example.org. a-b.c 1.2`, `-a a- a..b .a a_b é ` + strings.Repeat("a", 64)},
		"email":         {`a@b a.b+c@example.org "a@b"@c a@[1.2.3.4] a@[IPv6:::1]`, `a @ a@-b a..b@c .a@b a.@b a@[1.2.3] a@[IPv6:1] "a"b"@c a(b@c`},
		"uri":           {`https://example.org/a?b=c#d urn:isbn:1 http://[::1]/`, `/a a //example.org http://[::g]/ b:/%zz`},
		"uri-reference": {`https://example.org /a ../b?c #d`, `\\a http://[::g]/ %zz`},
		"duration":      {`P1D P3Y6M4DT12H30M5S PT1S P2W P0D`, `P PT P1 1D P1S PT1D P1DT P1D1Y P1W2D P1DT1HT1M PW p1d`},
	} {
		s := compile(t, `{"format":"`+format+`"}`)
		check := func(list string, want bool) {
			for _, text := range strings.Fields(list) {
				if err := s.Check(quote(text)); (err == nil) != want {
					t.Errorf("%s %q: %v", format, text, err)
				}
			}
		}
		check(c.fit, true)
		check(c.not, false)
		if err := s.Check([]byte(`7`)); err != nil {
			t.Errorf("%s binds numbers: %v", format, err)
		}
	}
}

func quote(text string) []byte {
	return []byte(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`)
}

// TestStrictJSON has texts that some parsers take and others do not, or that they read differently.
func TestStrictJSON(t *testing.T) {
	open := compile(t, `{"properties":{"a":{},"long":{"type":"string"}}}`)
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	many := func(extra string) string {
		var b strings.Builder
		for i := range 100 {
			fmt.Fprintf(&b, `"n%d":%d,`, i, i)
		}
		return "{" + b.String() + extra + "}"
	}
	for data, want := range map[string]string{
		``: "want a value at byte 0", ` `: "want a value", `{`: "name of a member", `[1,]`: "want a value at byte 3", `[1 2]`: "comma", `{"a" 1}`: "colon", `{"a":1,}`: "name of a member",
		`{a:1}`: "name of a member", `01`: "want a value", `-`: "want a value", `1.`: "digits after", `1e`: "exponent", `+1`: "want a value", `.5`: "want a value", `NaN`: "want a value",
		`nul`: "want a value", `nulll`: "bytes after the value at byte 4", `"a`: "ends within", `"\x"`: "escape", `"\u12g4"`: "hexadecimal", "\"\n\"": "control", "\"\xff\"": "UTF-8",
		`"\ud800"`: "surrogate", `"\udc00"`: "surrogate", `"\ud800\u0041"`: "surrogate", `"\ud800`: "surrogate", "\"\xed\xa0\x80\"": "UTF-8", `1 2`: "after the value", "\ufeff1": "want a value",
		`{"a":1,"a":2}`: "'a' is there twice", `{"a":1,"\u0061":2}`: "'a' is there twice", `{"x":1,"x":2}`: "'x' is there twice", `{"x":1,"\u0078":2}`: "'x' is there twice",
		`[{"deep":{"x":1,"x":1}}]`: "/0/deep: member 'x' is there twice", many(`"n99":0`): "'n99' is there twice", many(`"n1":0`): "'n1' is there twice",
		`{"":1,"":2}`: "'' is there twice",
		nested(65):    "deeper than 64", strings.Repeat(`{"a":`, 65): "deeper than 64",
		nested(64): "", many(`"n100":0`): "", `"\ud83d\ude00\u0000\/\b"`: "", " {\t\"a\" :\r\n[ ] , \"b\":{ }} ": "", `{"x":{"x":{"x":1}},"y":{"x":1}}`: "", `{"a":-0.0e-0}`: "",
	} {
		err := open.Check([]byte(data))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.60q: got %v, want %q", data, err, want)
		}
	}
}

func TestFaults(t *testing.T) {
	s := compile(t, `{"type":"object","required":["carrier","dep_delay"],"properties":{
		"carrier":{"type":"string","pattern":"^[A-Z0-9]{2}$"},
		"dep_delay":{"type":"integer"},
		"at":{"type":"string","format":"date-time"},
		"legs":{"type":"array","items":{"$ref":"#/$defs/leg"}},
		"price":{"type":"number","minimum":0,"maximum":5,"multipleOf":0.01},
		"code":{"type":["string","null"],"minLength":2,"maxLength":3}
	},"additionalProperties":false,"$defs":{"leg":{"type":"object","required":["to"],"properties":{"to":{"enum":["JFK","LAX"]}}}}}`)
	const good = `"carrier":"UA","dep_delay":2`
	for data, want := range map[string]string{
		`{` + good + `}`: "",
		`{"carrier":"UA","dep_delay":2.0,"legs":[{"to":"JFK"}]}`:      "",
		`{"carrier":"UA","dep_delay":123456789012345678901234567890}`: "",
		`{"carrier":"UA"}`:                                 "/: missing property 'dep_delay'",
		`{}`:                                               "/: missing properties 'carrier', 'dep_delay'",
		`{"carrier":"UA","dep_delay":"2"}`:                 "/dep_delay: got string, want integer",
		`{"carrier":"UA","dep_delay":2.5}`:                 "/dep_delay: got number, want integer",
		`{"carrier":"united","dep_delay":2}`:               "/carrier: 'united' does not match pattern '^[A-Z0-9]{2}$'",
		`{` + good + `,"at":"noon"}`:                       "/at: 'noon' is not valid date-time: want RFC 3339",
		`{` + good + `,"x":1,"y":[{}]}`:                    "/: additional properties 'x', 'y' not allowed",
		`{` + good + `,"legs":[{"to":"JFK"},{"to":"a"}]}`:  "/legs/1/to: value must be one of 'JFK', 'LAX'",
		`{` + good + `,"legs":[{"to":["JFK"]},{"to":{}}]}`: "/legs/0/to: value must be one of 'JFK', 'LAX'; /legs/1/to: value",
		`{` + good + `,"price":-1}`:                        "/price: minimum: got -1, want 0",
		`{` + good + `,"price":5.001}`:                     "/price: maximum: got 5.001, want 5",
		`{` + good + `,"price":4.999}`:                     "/price: multipleOf: got 4.999, want a multiple of 0.01",
		`{` + good + `,"code":"a"}`:                        "/code: minLength: got 1, want 2",
		`{` + good + `,"code":"abcd"}`:                     "/code: maxLength: got 4, want 3",
		`{` + good + `,"code":7}`:                          "/code: got number, want null or string",
		`[]`:                                               "/: got array, want object",
		``:                                                 "/: want JSON",
		`{` + good + `} x`:                                 "/: want JSON: there are bytes after the value at byte 31",
		`{"carrier":1,"dep_delay":`:                        "/: want JSON", // and nothing else: what was found before may be wrong
		`{"carrier":"` + strings.Repeat("long", 1000) + `","dep_delay":1}`: "/carrier: 'longlong",
	} {
		err := s.Check([]byte(data))
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%.80s: got %v, want %q", data, err, want)
		}
		var bad *Error
		if err != nil && (!errors.As(err, &bad) || len(bad.Faults) == 0 || len(err.Error()) > 4000) {
			t.Errorf("%.80s: %d bytes of %T", data, len(err.Error()), err)
		}
	}
}

func TestFaultsAreBounded(t *testing.T) {
	s := compile(t, `{"items":{"type":"string"}}`)
	var bad *Error
	if err := s.Check([]byte("[" + strings.Repeat("1,", 5000) + "1]")); !errors.As(err, &bad) || len(bad.Faults) != 10 {
		t.Fatalf("%v", err)
	}
	if got := bad.Faults[9].Pointer; got != "/9" {
		t.Errorf("pointer %s", got)
	}
	name := strings.Repeat("n~/", 10_000)
	s = compile(t, `{"additionalProperties":{"type":"string"}}`)
	if err := s.Check([]byte(`{"` + name + `":1}`)); !errors.As(err, &bad) || len(err.Error()) > 1000 || !strings.HasPrefix(bad.Faults[0].Pointer, "/n~0~1n~0~1") {
		t.Errorf("%.100v", err)
	}
	if err := s.Check([]byte(`{"a":"b"}`)); err != nil {
		t.Errorf("a fault stays: %v", err)
	}
}
