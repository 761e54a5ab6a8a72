package validate_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/services/ingest/validate"
)

const flight = `{"type":"object","required":["carrier","dep_delay"],"properties":{
	"carrier":{"type":"string","pattern":"^[A-Z0-9]{2}$"},
	"dep_delay":{"type":"integer"},
	"at":{"type":"string","format":"date-time"},
	"legs":{"type":"array","items":{"$ref":"#/$defs/leg"}}
},"additionalProperties":false,"$defs":{"leg":{"type":"object","required":["to"],"properties":{"to":{"enum":["JFK","LAX"]}}}}}`

func compile(t testing.TB, schema string) *validate.Schema {
	t.Helper()
	s, err := validate.Compile(json.RawMessage(schema))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCheck(t *testing.T) {
	s := compile(t, flight)
	for data, want := range map[string]string{
		`{"carrier":"UA","dep_delay":2}`:                                  "",
		`{"carrier":"UA","dep_delay":2.0,"legs":[{"to":"JFK"}]}`:          "",
		`{"carrier":"UA"}`:                                                "/: missing property 'dep_delay'",
		`{"carrier":"UA","dep_delay":"2"}`:                                "/dep_delay: got string, want integer",
		`{"carrier":"united","dep_delay":2}`:                              "/carrier: 'united' does not match pattern",
		`{"carrier":"UA","dep_delay":2,"at":"noon"}`:                      "/at: 'noon' is not valid date-time",
		`{"carrier":"UA","dep_delay":2,"x":1}`:                            "/: additional properties 'x' not allowed",
		`{"carrier":"UA","dep_delay":2,"legs":[{"to":"JFK"},{"to":"a"}]}`: "/legs/1/to: value must be one of 'JFK', 'LAX'",
		`[]`:                               "/: got array, want object",
		``:                                 "/: want JSON",
		`{"carrier":"UA","dep_delay":2} x`: "/: want JSON",
		`{"carrier":"UA","dep_delay":123456789012345678901234567890}`:           "",
		`{"carrier":"` + strings.Repeat("long", 1000) + `","dep_delay":1}`:      "/carrier: 'longlong",
		`{"carrier":"\u0000\ud800","dep_delay":{"deep":[[[[[[[[[1]]]]]]]]]}}`:   "/",
		`{"carrier":1,"dep_delay":"2","at":3,"legs":{"a":1},"b":1,"c":2,"d":3}`: "/",
	} {
		err := s.Check([]byte(data))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.80s: got %v, want %q", data, err, want)
		}
		var bad *validate.Error
		if err != nil && (!errors.As(err, &bad) || len(bad.Faults) == 0 || len(err.Error()) > 4000) {
			t.Errorf("%.80s: %d bytes of %T", data, len(err.Error()), err)
		}
	}
}

func TestFaultsAreBounded(t *testing.T) {
	s := compile(t, `{"items":{"type":"string"}}`)
	var bad *validate.Error
	if err := s.Check([]byte("[" + strings.Repeat("1,", 5000) + "1]")); !errors.As(err, &bad) || len(bad.Faults) != 10 {
		t.Errorf("%d faults", len(bad.Faults))
	}
}

func TestSchemasAreClosed(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret.json")
	if err := os.WriteFile(secret, []byte(`{"type":"string"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, schema := range map[string]string{
		"file":            `{"$ref":"file://` + secret + `"}`,
		"path":            `{"$ref":"` + secret + `"}`,
		"network":         `{"$ref":"https://example.org/schema.json"}`,
		"own id":          `{"$id":"https://example.org/a.json","$ref":"b.json"}`,
		"dangling":        `{"$ref":"#/$defs/missing"}`,
		"no JSON":         `{`,
		"no schema":       `7`,
		"bad keyword":     `{"type":"nonsense"}`,
		"bad pattern":     `{"pattern":"("}`,
		"backtracking":    `{"pattern":"(a+)\\1"}`,
		"foreign $schema": `{"$schema":"https://example.org/dialect"}`,
	} {
		if _, err := validate.Compile(json.RawMessage(schema)); !errors.Is(err, validate.ErrBadSchema) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, schema := range map[string]string{
		"everything": `true`, "draft": `{"$schema":"https://json-schema.org/draft/2020-12/schema"}`, "recursive": `{"properties":{"next":{"$ref":"#"}}}`,
	} {
		if _, err := validate.Compile(json.RawMessage(schema)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzCheck: no data panics, and the answer for what is no JSON is always an error.
func FuzzCheck(f *testing.F) {
	f.Add([]byte(`{"carrier":"UA","dep_delay":2,"legs":[{"to":"JFK"}]}`))
	f.Add([]byte(`{"carrier":`))
	s := compile(f, flight)
	f.Fuzz(func(t *testing.T, data []byte) {
		err := s.Check(data)
		if !json.Valid(data) && err == nil {
			t.Errorf("accepted %q", data)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	s := compile(b, flight)
	data := []byte(`{"carrier":"UA","dep_delay":2,"at":"2013-01-01T05:17:00Z","legs":[{"to":"JFK"},{"to":"LAX"}]}`)
	for b.Loop() {
		if err := s.Check(data); err != nil {
			b.Fatal(err)
		}
	}
}
