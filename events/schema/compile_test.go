package schema

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/schemas"
)

// TestRefused has what Compile does not take, with the place and a part of the advice.
func TestRefused(t *testing.T) {
	for doc, want := range map[string]string{
		``: "/: it is not JSON: want a value at byte 0", `{`: "/: it is not JSON", `7`: "/: want an object", `true`: "/: want an object", `{} {}`: "/: it is not JSON",
		`{"type":"string","type":"string"}`:                                    "/type: it is there twice",
		`{"$schema":"http://json-schema.org/draft-07/schema#"}`:                `/$schema: want "https://json-schema.org/draft/2020-12/schema"`,
		`{"items":{"$schema":"https://json-schema.org/draft/2020-12/schema"}}`: "at the top",
		`{"items":{"$id":"x"}}`:                                                "/items/$id",
		`{"items":{"$defs":{}}}`:                                               "/items/$defs",
		`{"$id":7}`:                                                            "/$id: want a URI",
		`{"$id":"https://example.org/a#b"}`:                                    "/$id: want a URI",
		`{"title":7}`:                                                          "/title: want a text",
		`{"examples":7}`:                                                       "/examples: want a list",
		`{"deprecated":7}`:                                                     "/deprecated: want true",
		`{"$defs":7}`:                                                          "/$defs: want an object",
		`{"$defs":{"a":7}}`:                                                    "/$defs/a: want a schema",
		`{"$defs":{"a":{"oneOf":[]}}}`:                                         "/$defs/a/oneOf",
		`{"type":"nonsense"}`:                                                  `/type: "nonsense" is no type`,
		`{"type":7}`:                                                           "/type: want the name",
		`{"type":[]}`:                                                          "/type: want the name",
		`{"type":["string","string"]}`:                                         "/type: \"string\" is there twice",
		`{"enum":[]}`:                                                          "/enum: want a list",
		`{"enum":"a"}`:                                                         "/enum: want a list",
		`{"enum":[{}]}`:                                                        "/enum: want texts, numbers",
		`{"enum":[1],"const":1}`:                                               "/enum: const says the same",
		`{"const":[1]}`:                                                        "/const: want texts",
		`{"minimum":"1"}`:                                                      "/minimum: want a number",
		`{"exclusiveMinimum":true}`:                                            "/exclusiveMinimum: want a number",
		`{"maximum":1e1001}`:                                                   "/maximum: want a number of at most 1000 digits",
		`{"minimum":2,"maximum":1}`:                                            "/: no number is between 2 and 1",
		`{"minimum":1,"exclusiveMaximum":1}`:                                   "/: no number is between",
		`{"multipleOf":0}`:                                                     "/multipleOf: want a number above 0",
		`{"multipleOf":-1}`:                                                    "/multipleOf: want a number above 0",
		`{"multipleOf":1.234567890123456789}`:                                  "/multipleOf: want at most 18 digits",
		`{"minLength":-1}`:                                                     "/minLength: want a whole number",
		`{"minLength":1.5}`:                                                    "/minLength: want a whole number",
		`{"maxItems":1e10}`:                                                    "/maxItems: want a whole number",
		`{"maxProperties":99999999999999999999}`:                               "/maxProperties: want a whole number",
		`{"minLength":2,"maxLength":1}`:                                        "/maxLength: it is below minLength",
		`{"pattern":"("}`:                                                      "/pattern: want RE2",
		`{"pattern":"(a+)\\1"}`:                                                "/pattern: want RE2",
		`{"pattern":7}`:                                                        "/pattern: want a regular expression",
		`{"pattern":"(a{1,100}b){1,10}"}`:                                      "/pattern: it is too complex",
		`{"format":"regex"}`:                                                   `/format: "regex" is no format that is checked: want one of date, date-time`,
		`{"format":7}`:                                                         "/format",
		`{"items":[{}]}`:                                                       "/items: want a schema",
		`{"items":false}`:                                                      "/items: want a schema",
		`{"properties":7}`:                                                     "/properties: want an object",
		`{"properties":{"a":7}}`:                                               "/properties/a: want a schema",
		`{"required":"a"}`:                                                     "/required: want a list",
		`{"required":[1]}`:                                                     "/required: want names",
		`{"required":["a","a"]}`:                                               "/required: \"a\" is there twice",
		`{"required":["b"],"properties":{"a":{}},"additionalProperties":false}`: `/required: "b" is required and not in properties`,
		`{"additionalProperties":7}`:                                    "/additionalProperties: want a schema",
		`{"$ref":7}`:                                                    "/$ref: want",
		`{"$ref":"#"}`:                                                  "/$ref: want",
		`{"$ref":"#/$defs/a/b"}`:                                        "/$ref: want",
		`{"$ref":"#/$defs/%zz"}`:                                        "/$ref: want",
		`{"$ref":"#/$defs/a"}`:                                          `/$ref: there is no "a" in $defs`,
		`{"$ref":"file:///etc/passwd"}`:                                 "/$ref: want",
		`{"$ref":"https://example.org/a.json"}`:                         "/$ref: want",
		`{"$id":"https://example.org/a.json","$ref":"b.json"}`:          "/$ref: want",
		`{"$defs":{"a":{}},"$ref":"#/$defs/a","type":"string"}`:         "/type: it cannot stand beside $ref",
		`{"$defs":{"a":{"items":{"$ref":"#/$defs/a"}}}}`:                "/$defs/a/items/$ref: it leads in a circle",
		`{"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}}`: "circle",
		`{"oneOf":[]}`:                                                  "/oneOf: \"oneOf\": give each case an event type",
		`{"if":{}}`:                                                     "/if",
		`{"dependentRequired":{}}`:                                      "/dependentRequired",
		`{"patternProperties":{}}`:                                      "name the members in properties",
		`{"prefixItems":[]}`:                                            "a named member for each place",
		`{"uniqueItems":true}`:                                          "leave it out",
		`{"$dynamicRef":"#a"}`:                                          `"#/$defs/<name>"`,
		`{"definitions":{}}`:                                            "call it $defs",
		`{"contentEncoding":"x"}`:                                       "description",
		`{"unevaluatedProperties":false}`:                               "additionalProperties",
		`{"maxlength":1}`:                                               "correct it or leave it out",
		`{"items":{"a/b~c":1}}`:                                         "/items/a~1b~0c",
		`{"x-signalbox-column":true}`:                                   "members of the top level only",
		`{"properties":{"a":{"properties":{"b":{"type":"string","x-signalbox-column":true}}}}}`: "/properties/a/properties/b/x-signalbox-column",
		strings.Repeat(`{"items":`, 64) + "{}" + strings.Repeat("}", 64):                        "deeper than 64",
	} {
		_, err := Compile([]byte(doc))
		if !errors.Is(err, ErrBadSchema) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.100s\n got %v\nwant %q", doc, err, want)
		}
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	_, err := Compile([]byte(`{"oneOf":[],"properties":{"a":{"type":"strin","minLength":-1},"b":{"$ref":"#/$defs/x"}},"$defs":{"y":{"not":{}}}}`))
	var bad *CompileError
	if !errors.As(err, &bad) {
		t.Fatal(err)
	}
	var got []string
	for _, f := range bad.Faults {
		got = append(got, f.Pointer)
	}
	if want := []string{"/oneOf", "/properties/a/type", "/properties/a/minLength", "/properties/b/$ref", "/$defs/y/not"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := Compile([]byte("{" + strings.Repeat(`"nonsense":1,`, 10_000) + `"more":1}`)); !errors.As(err, &bad) || len(bad.Faults) != maxListed {
		t.Errorf("%d faults", len(bad.Faults))
	}
}

// TestReferencesDoNotExplode: thirty definitions, each with two references to the one before, are a billion places.
func TestReferencesDoNotExplode(t *testing.T) {
	doc := func(levels int) string {
		var b strings.Builder
		b.WriteString(`{"$defs":{"d0":{"type":"string"}`)
		for i := 1; i <= levels; i++ {
			fmt.Fprintf(&b, `,"d%d":{"properties":{"a":{"$ref":"#/$defs/d%d"},"b":{"$ref":"#/$defs/d%d"}}}`, i, i-1, i-1)
		}
		fmt.Fprintf(&b, `},"$ref":"#/$defs/d%d"}`, levels)
		return b.String()
	}
	if _, err := Compile([]byte(doc(30))); err == nil || !strings.Contains(err.Error(), "places") {
		t.Errorf("got %v", err)
	}
	if err := compile(t, doc(8)).Check([]byte(`{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":7}}}}}}}}`)); err == nil {
		t.Error("a number fits where a text is wanted")
	}
}

func TestRoot(t *testing.T) {
	n := compile(t, `{"type":"object","required":["c","a"],"additionalProperties":{"type":"integer"},"properties":{
		"b":{"type":["number","null"],"minimum":1,"exclusiveMinimum":1,"maximum":10,"multipleOf":0.5},
		"a":{"enum":["x",1,null]},"d":true,"e":{"items":{"const":true},"maxItems":3}}}`).Root()
	var names []string
	for _, p := range n.Properties {
		names = append(names, fmt.Sprint(p.Name, p.Required))
	}
	if want := []string{"atrue", "bfalse", "ctrue", "dfalse", "efalse"}; !slices.Equal(names, want) {
		t.Fatalf("properties %q", names)
	}
	a, b, e := n.Properties[0].Node, n.Properties[1].Node, n.Properties[4].Node
	if n.Types != Object || n.Closed || n.Additional.Types != Integer || n.Properties[2].Node != n.Additional || n.Properties[3].Node != nil {
		t.Errorf("%+v", n)
	}
	if len(a.Enum) != 3 || a.Enum[0].Type != String || a.Enum[0].Text != "x" || a.Enum[2].Type != Null || a.Types.String() != "null or boolean or number or string or array or object" {
		t.Errorf("%+v", a)
	}
	if !b.Types.Has(Integer|Null) || b.Types.Has(String) || !b.Minimum.Exclusive || b.Maximum.Number != "10" || b.Maximum.Exclusive || b.MultipleOf != "0.5" {
		t.Errorf("%+v", b)
	}
	if e.MaxItems != 3 || e.MinItems != -1 || e.Items.Enum[0].Text != "true" {
		t.Errorf("%+v", e)
	}
	if CompareNumbers("1e2", "100.0") != 0 || CompareNumbers("-2", "-1.5") != -1 || CompareNumbers("0.1", "0.09") != 1 {
		t.Error("numbers are not compared by value")
	}
}

// TestOwnSchemas: what Signalbox publishes about itself is in the subset.
func TestOwnSchemas(t *testing.T) {
	n := 0
	err := fs.WalkDir(schemas.Events, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := fs.ReadFile(schemas.Events, name)
		if err != nil {
			return err
		}
		n++
		if _, err := Compile(b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		return nil
	})
	if err != nil || n < 10 {
		t.Errorf("%d schemas, %v", n, err)
	}
}
