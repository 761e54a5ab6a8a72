package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"unicode/utf8"
)

// BadText is for text that PostgreSQL does not have, which would come back as a fault of ours.
func BadText() *Problem {
	return Fault(http.StatusBadRequest, "bad_text", "the request holds U+0000 or bytes that are not UTF-8, which no text here may: leave them out")
}

// Storable reports whether a text that did not come in JSON can be kept and asked for.
func Storable(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// HoldsNUL reports whether a string of a JSON text holds U+0000, however it is spelled. What is no JSON is for the decoder
// to refuse.
func HoldsNUL(b []byte) bool {
	if !bytes.Contains(b, []byte(`\u0000`)) {
		return false
	}
	for d := json.NewDecoder(bytes.NewReader(b)); ; {
		tok, err := d.Token()
		if err != nil {
			return false
		}
		if text, ok := tok.(string); ok && strings.ContainsRune(text, 0) {
			return true
		}
	}
}
