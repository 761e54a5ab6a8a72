package schema

import (
	"errors"
	"strings"
)

// ErrBadSchema marks a schema that cannot be used. What wraps it says why, for the schema's author.
var ErrBadSchema = errors.New("schema cannot be used")

// Bounds of what one Error says.
const (
	maxFaults  = 10
	maxMessage = 300
)

// Fault is one place that is wrong.
type Fault struct {
	Pointer string `json:"pointer"` // JSON pointer into the data or the schema; "" is the whole
	Message string `json:"detail"`
}

// Error lists what is wrong with data, the first few faults only. It holds parts of the data.
type Error struct {
	Faults []Fault
}

// Error returns all faults in one line.
func (e *Error) Error() string { return line(e.Faults) }

// CompileError lists everything that keeps a schema from being used; pointers lead into the schema. It is ErrBadSchema.
type CompileError struct {
	Faults []Fault
}

// Error returns all faults in one line.
func (e *CompileError) Error() string { return ErrBadSchema.Error() + ": " + line(e.Faults) }

// Unwrap returns ErrBadSchema.
func (e *CompileError) Unwrap() error { return ErrBadSchema }

func line(faults []Fault) string {
	parts := make([]string, 0, len(faults))
	for _, f := range faults {
		where := f.Pointer
		if where == "" {
			where = "/"
		}
		parts = append(parts, where+": "+f.Message)
	}
	return strings.Join(parts, "; ")
}

func clip(s string) string {
	if len(s) > maxMessage {
		s = s[:maxMessage] + "..."
	}
	return strings.ToValidUTF8(s, "")
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// at returns the pointer to a member of what pointer leads to.
func at(pointer, name string) string { return pointer + "/" + pointerEscapes.Replace(name) }

// quoted lists names as 'a', 'b'.
func quoted(names []string) string { return "'" + strings.Join(names, "', '") + "'" }
