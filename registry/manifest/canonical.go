package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/gowebpki/jcs"
)

// MaxManifest is the size of the largest manifest, in bytes: what OCI registries take.
const MaxManifest = 4 << 20

// maxExact is the greatest integer up to which every integer is its own JSON number: RFC 8785 keeps no more digits.
const maxExact = 1 << 53

// Canonical returns JSON text in its one canonical form (RFC 8785). Duplicate members, bytes after the value, invalid
// UTF-8 and integers beyond 2^53, which the form would round, are ErrInvalid.
func Canonical(b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, &Fault{Problem: "want JSON, got nothing"}
	}
	c, err := jcs.Transform(b)
	if err != nil {
		return nil, &Fault{Problem: "no JSON that has a canonical form: " + err.Error()}
	}
	if err := checkIntegers(b); err != nil {
		return nil, err
	}
	return c, nil
}

// encode returns the canonical form of v.
func encode(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return Canonical(b)
}

// decodeCanonical reads a manifest: strictly, and only in its canonical form, so that one document has one digest.
// again must encode what was decoded into v.
func decodeCanonical(b []byte, v any, again func() ([]byte, error)) error {
	if err := Decode(b, MaxManifest, v); err != nil {
		return err
	}
	c, err := again()
	if err != nil {
		return err
	}
	if !bytes.Equal(b, c) {
		return &Fault{Problem: "not in canonical form (RFC 8785): encode it with sorted members, without white space and without " +
			"members that are empty or at their default"}
	}
	return nil
}

func checkIntegers(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return &Fault{Problem: "no JSON: " + err.Error()}
		}
		n, ok := tok.(json.Number)
		if !ok || strings.ContainsAny(n.String(), ".eE") {
			continue
		}
		if i, err := strconv.ParseInt(n.String(), 10, 64); err != nil || i > maxExact || i < -maxExact {
			return &Fault{Problem: fmt.Sprintf("integer %.40s is beyond 2^53, where JSON numbers are no longer exact", n)}
		}
	}
}
