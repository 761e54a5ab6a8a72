package main

import (
	"bytes"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// fullSchema is a schema of the description of the API, which uses all of JSON Schema 2020-12.
type fullSchema struct{ schema *jsonschema.Schema }

// compiled compiles a schema that is closed in itself, with formats asserted.
func compiled(t *testing.T, at string, schema any) fullSchema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON(t, schema)))
	if err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	const name = "https://signalbox.invalid/schema.json"
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.UseLoader(jsonschema.SchemeURLLoader{}) // which knows no scheme
	if err := c.AddResource(name, doc); err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	s, err := c.Compile(name)
	if err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	return fullSchema{schema: s}
}

// Check says what does not fit.
func (s fullSchema) Check(data []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return err
	}
	return s.schema.Validate(v)
}
