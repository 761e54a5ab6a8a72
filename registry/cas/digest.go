// Package cas is content-addressed storage: a digest type and a store that verifies every byte it writes and reads.
package cas

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// ErrBadDigest reports text that is not a canonical digest.
var ErrBadDigest = errors.New("not a digest: want sha256. and 52 upper-case base32 characters")

const prefix = "sha256."

// textLen is the length of a digest in text: 59 characters, short enough for a Kubernetes label value.
const textLen = len(prefix) + 52

// Digest is the SHA-256 of some bytes and the only identity that durable values have. The zero Digest names nothing.
type Digest [sha256.Size]byte

// Sum returns the digest of b.
func Sum(b []byte) Digest { return sha256.Sum256(b) }

// Parse reads the form "sha256.<BASE32>": RFC 4648, upper case, unpadded. A last character with stray bits is refused,
// so that one digest has one spelling.
func Parse(s string) (Digest, error) {
	var d Digest
	if len(s) != textLen || !strings.HasPrefix(s, prefix) {
		return Digest{}, fmt.Errorf("%q: %w", clip(s), ErrBadDigest)
	}
	n, err := encoding().Decode(d[:], []byte(s[len(prefix):]))
	if err != nil || n != len(d) || d.String() != s {
		return Digest{}, fmt.Errorf("%q: %w", clip(s), ErrBadDigest)
	}
	return d, nil
}

// ParseHex reads 64 lower-case hexadecimal digits, with or without the OCI prefix "sha256:".
func ParseHex(s string) (Digest, error) {
	h := strings.TrimPrefix(s, "sha256:")
	b, err := hex.DecodeString(h)
	if err != nil || len(b) != sha256.Size || h != strings.ToLower(h) {
		return Digest{}, fmt.Errorf("%q: %w", clip(s), ErrBadDigest)
	}
	return Digest(b), nil
}

// String returns the canonical text form.
func (d Digest) String() string { return prefix + encoding().EncodeToString(d[:]) }

// Hex returns 64 lower-case hexadecimal digits, the spelling of S3 checksums' readers and of OCI after "sha256:".
func (d Digest) Hex() string { return hex.EncodeToString(d[:]) }

// IsZero reports whether d names nothing.
func (d Digest) IsZero() bool { return d == Digest{} }

// MarshalText implements encoding.TextMarshaler. The zero Digest is the empty text.
func (d Digest) MarshalText() ([]byte, error) {
	if d.IsZero() {
		return nil, nil
	}
	return []byte(d.String()), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Digest) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*d = Digest{}
		return nil
	}
	v, err := Parse(string(b))
	if err != nil {
		return err
	}
	*d = v
	return nil
}

func encoding() *base32.Encoding { return base32.StdEncoding.WithPadding(base32.NoPadding) }

// clip keeps hostile input out of error texts.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
