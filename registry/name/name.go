// Package name is the one grammar of names, for all kinds of objects: plain enough for a label, a file name, a metric
// label and a path segment of a URL.
package name

import (
	"errors"
	"fmt"
	"regexp"
)

// ErrBad reports a name outside the grammar.
var ErrBad = errors.New("not a name: want 1 to 63 of a-z, 0-9, dot, dash and underscore, starting with a letter or digit")

var grammar = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// Check returns nil for a name, else ErrBad.
func Check(s string) error {
	if grammar.MatchString(s) {
		return nil
	}
	if len(s) > 80 { // keep hostile input out of error texts
		s = s[:80] + "…"
	}
	return fmt.Errorf("%q: %w", s, ErrBad)
}
