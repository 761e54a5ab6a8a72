package name

import (
	"errors"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	for s, ok := range map[string]bool{
		"a": true, "0": true, "flight-delay": true, "v1.2_x": true, strings.Repeat("a", 63): true,
		"": false, "A": false, "-a": false, ".a": false, "_a": false, "a b": false, "a/b": false, "a\n": false, "é": false,
		"a\x00": false, "..": false, strings.Repeat("a", 64): false,
	} {
		err := Check(s)
		if (err == nil) != ok {
			t.Errorf("Check(%q) = %v, want ok %v", s, err, ok)
		}
		if err != nil && !errors.Is(err, ErrBad) {
			t.Errorf("Check(%q) = %v, want ErrBad", s, err)
		}
	}
	if err := Check(strings.Repeat("x", 1<<16)); len(err.Error()) > 300 {
		t.Errorf("the error repeats %d bytes of the input", len(err.Error()))
	}
}
