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

// faults collects what is wrong, so that a reader mends a document in one go.
type faults []error

// maxFaults bounds an error's length against hostile documents.
const maxFaults = 100

func (fs *faults) add(path, format string, args ...any) {
	if len(*fs) < maxFaults {
		*fs = append(*fs, &Fault{Path: path, Problem: fmt.Sprintf(format, args...)})
	}
}

// check adds a fault unless ok.
func (fs *faults) check(ok bool, path, format string, args ...any) {
	if !ok {
		fs.add(path, format, args...)
	}
}

func (fs *faults) err() error { return errors.Join(*fs...) }

// finite reports whether JSON has a number for f.
func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

// Faults returns the faults that err joins, in order.
func Faults(err error) []*Fault {
	switch e := err.(type) {
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
