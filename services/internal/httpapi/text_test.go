package httpapi

import (
	"encoding/json"
	"strings"
	"testing"
)

// FuzzHoldsNUL: what is found is what encoding/json decodes, anywhere in the text.
func FuzzHoldsNUL(f *testing.F) {
	for _, s := range []string{`{"a":"\u0000"}`, `{"\u0000":1}`, `"\\u0000"`, `["\\\u0000"]`, `{"a":[1,{"b":"\\\\u0000"}]}`, "\x00", `"\u00000"`, `{"a":"\u0000`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var v any
		if json.Unmarshal(b, &v) != nil {
			return // refused by the decoder, whatever it holds
		}
		plain, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		// Members that repeat are one in v, so only one direction holds for every text.
		if escaped := strings.ReplaceAll(string(plain), `\\`, ""); strings.Contains(escaped, `\u0000`) && !HoldsNUL(b) {
			t.Errorf("%q holds U+0000", b)
		}
		if HoldsNUL(b) && !strings.Contains(string(b), `\u0000`) {
			t.Errorf("%q does not hold U+0000", b)
		}
	})
}
