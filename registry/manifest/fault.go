package manifest

import (
	"errors"
	"fmt"
	"math"
)

// ErrInvalid reports a document that breaks its format. The text of the error says where and is safe to show.
var ErrInvalid = errors.New("invalid document")

// Fault is one thing wrong with a document.
type Fault struct {
	Path    string // JSON pointer to the member, "" for the document
	Problem string // in words, and what to do where that helps
}

// Error implements error.
func (f *Fault) Error() string {
	if f.Path == "" {
		return f.Problem
	}
	return f.Path + ": " + f.Problem
}

// Unwrap makes every fault an ErrInvalid.
func (f *Fault) Unwrap() error { return ErrInvalid }

// FaultList collects what is wrong, so that a reader mends a document in one go. The zero value is empty.
type FaultList []error

// maxFaults bounds an error's length against hostile documents.
const maxFaults = 100

// Add adds a fault at a JSON pointer.
func (fs *FaultList) Add(path, format string, args ...any) {
	if len(*fs) < maxFaults {
		*fs = append(*fs, &Fault{Path: path, Problem: fmt.Sprintf(format, args...)})
	}
}

// Check adds a fault unless ok.
func (fs *FaultList) Check(ok bool, path, format string, args ...any) {
	if !ok {
		fs.Add(path, format, args...)
	}
}

// Err adds what some check said of the member at path, unless it is nil.
func (fs *FaultList) Err(path string, err error) {
	if err != nil {
		fs.Add(path, "%v", err)
	}
}

// Nested adds the faults of a member that was checked on its own.
func (fs *FaultList) Nested(path string, err error) {
	for _, f := range Faults(err) {
		fs.Add(path+f.Path, "%s", f.Problem)
	}
}

// Join returns all faults as one error, nil where there are none.
func (fs *FaultList) Join() error { return errors.Join(*fs...) }

// finite reports whether JSON has a number for f.
func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

// Faults returns the faults that err joins, in order.
func Faults(err error) []*Fault {
	switch e := err.(type) { //nolint:errorlint // joined errors are walked one by one
	case *Fault:
		return []*Fault{e}
	case interface{ Unwrap() []error }:
		var out []*Fault
		for _, one := range e.Unwrap() {
			out = append(out, Faults(one)...)
		}
		return out
	}
	if err == nil {
		return nil
	}
	return Faults(errors.Unwrap(err))
}
