// Package validate checks JSON against JSON Schema 2020-12. A schema is closed in itself: references reach no file and
// no network, formats are asserted, and patterns are Go's, which match in linear time.
package validate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// ErrBadSchema marks a schema that cannot be used. What wraps it says why, for the schema's author.
var ErrBadSchema = errors.New("schema cannot be used")

// Bounds of what one Error says.
const (
	maxFaults  = 10
	maxMessage = 300
)

// Schema is a compiled schema. It is safe for concurrent use.
type Schema struct {
	compiled *jsonschema.Schema
}

// Fault is one place that is wrong.
type Fault struct {
	Pointer string `json:"pointer"` // JSON pointer into the data; "" is the whole
	Message string `json:"detail"`
}

// Error lists what is wrong with data, the first few faults only. It holds parts of the data.
type Error struct {
	Faults []Fault
}

// Error returns all faults in one line.
func (e *Error) Error() string {
	parts := make([]string, 0, len(e.Faults))
	for _, f := range e.Faults {
		where := f.Pointer
		if where == "" {
			where = "/"
		}
		parts = append(parts, where+": "+f.Message)
	}
	return strings.Join(parts, "; ")
}

// Compile reads a schema. Errors wrap ErrBadSchema.
func Compile(schema json.RawMessage) (*Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, fmt.Errorf("%w: it is not JSON: %v", ErrBadSchema, err)
	}
	const name = "https://signalbox.invalid/schema.json" // what relative references are resolved against
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.UseLoader(closed{})
	if err := c.AddResource(name, doc); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrBadSchema, err)
	}
	s, err := c.Compile(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrBadSchema, err)
	}
	return &Schema{compiled: s}, nil
}

// Check returns nil or an *Error. Data that is no JSON is an Error at the whole.
func (s *Schema) Check(data []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return &Error{Faults: []Fault{{Message: "want JSON: " + clip(err.Error())}}}
	}
	err = s.compiled.Validate(v)
	if err == nil {
		return nil
	}
	var bad *jsonschema.ValidationError
	if !errors.As(err, &bad) {
		return &Error{Faults: []Fault{{Message: clip(err.Error())}}}
	}
	return faultsOf(bad)
}

// faultsOf keeps the innermost faults: the outer ones only say that something inside is wrong.
func faultsOf(bad *jsonschema.ValidationError) *Error {
	out := &Error{}
	var walk func(*jsonschema.ValidationError)
	walk = func(e *jsonschema.ValidationError) {
		for _, cause := range e.Causes {
			walk(cause)
		}
		if len(e.Causes) > 0 || len(out.Faults) == maxFaults {
			return
		}
		unit := e.BasicOutput()
		message := "does not fit the schema"
		if unit.Error != nil {
			message = unit.Error.String()
		}
		out.Faults = append(out.Faults, Fault{Pointer: unit.InstanceLocation, Message: clip(message)})
	}
	walk(bad)
	return out
}

func clip(s string) string {
	if len(s) > maxMessage {
		s = s[:maxMessage] + "..."
	}
	return strings.ToValidUTF8(s, "")
}

// closed loads nothing.
type closed struct{}

// Load refuses: the default loader would read files of this machine.
func (closed) Load(url string) (any, error) {
	return nil, fmt.Errorf("reference to %s: a schema must hold all that it uses", url)
}
