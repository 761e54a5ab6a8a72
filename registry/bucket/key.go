package bucket

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ErrBadKey reports a key that some store would refuse or map to another name.
var ErrBadKey = errors.New("not a key: want at most 1024 bytes of UTF-8 in non-empty segments of at most 255 bytes")

// CheckKey checks key against what every backend stores under exactly this name, stores that map keys to files
// included: no empty, "." or ".." segment, no control character, no backslash, no segment longer than a file name.
func CheckKey(key string) error {
	if key == "" || len(key) > 1024 || !utf8.ValidString(key) {
		return fmt.Errorf("%.80q: %w", key, ErrBadKey)
	}
	for seg := range strings.SplitSeq(key, "/") {
		if seg == "" || seg == "." || seg == ".." || len(seg) > 255 || strings.ContainsFunc(seg, forbidden) {
			return fmt.Errorf("%.80q: %w", key, ErrBadKey)
		}
	}
	return nil
}

func forbidden(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }
