package manifest

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxPath is the length of the longest path in a package, in bytes.
const maxPath = 512

// CheckPath checks the path of a file inside a package: relative, '/' between its segments, none of them empty, "." or
// "..", no backslash and no control character. Such a path stays inside any directory, on any file system.
func CheckPath(p string) error {
	if p == "" {
		return errors.New("path is empty")
	}
	if len(p) > maxPath {
		return fmt.Errorf("path has %d bytes: at most %d are allowed", len(p), maxPath)
	}
	if !utf8.ValidString(p) {
		return fmt.Errorf("path %q is not UTF-8", p)
	}
	for _, r := range p {
		if r == '\\' || unicode.IsControl(r) {
			return fmt.Errorf("path %q holds a backslash or a control character", p)
		}
	}
	for seg := range strings.SplitSeq(p, "/") {
		if seg == "" || seg == "." || seg == ".." {
			return fmt.Errorf("path %q is not plain and relative: want segments such as code/model.py", p)
		}
	}
	return nil
}

// fold returns the same text for paths that a case-insensitive file system takes for one.
func fold(p string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return least
	}, p)
}
