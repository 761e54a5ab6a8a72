package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"math/big"
	"slices"
	"strings"
	"time"
)

// ErrBadToken reports a credential that is malformed, unknown or expired. It never says which.
var ErrBadToken = errors.New("token is not valid")

const (
	tokenPrefix  = "sbx_"
	base62Digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	secretLen    = 43 // base62 digits of 256 random bits
	checkLen     = 6  // base62 digits of a CRC-32
)

// Token is what is stored of a credential: its hash, never the secret.
type Token struct {
	Name    string     `json:"name"`
	SHA256  string     `json:"sha256"` // hex, of the whole token text
	Roles   []Role     `json:"roles"`
	Expires *time.Time `json:"expires,omitempty"`
}

// NewToken makes a credential. The text is shown once; the Token is what to store. The form is
// sbx_<role>_<secret><checksum>, so that scanners can tell a leaked one from noise.
func NewToken(name string, roles ...Role) (text string, t Token, err error) {
	if strings.TrimSpace(name) == "" || len(roles) == 0 {
		return "", Token{}, errors.New("token needs a name and at least one role")
	}
	for _, r := range roles {
		if !slices.Contains(Roles(), r) {
			return "", Token{}, fmt.Errorf("role %q: want one of %v", r, Roles())
		}
	}
	secret, err := randomBase62(secretLen)
	if err != nil {
		return "", Token{}, fmt.Errorf("token: %w", err)
	}
	body := tokenPrefix + string(roles[0]) + "_" + secret
	text = body + checksum(body)
	sum := sha256.Sum256([]byte(text))
	return text, Token{Name: name, SHA256: hex.EncodeToString(sum[:]), Roles: roles}, nil
}

// wellFormed reports whether text has the form and checksum of a token, which spares a look-up for noise.
func wellFormed(text string) bool {
	if !strings.HasPrefix(text, tokenPrefix) || len(text) < len(tokenPrefix)+secretLen+checkLen || len(text) > 256 {
		return false
	}
	body := text[:len(text)-checkLen]
	return checksum(body) == text[len(body):]
}

// checksum is the CRC-32 of body in base 62. Every request pays for it.
func checksum(body string) string {
	var out [checkLen]byte
	for sum, i := crc32.ChecksumIEEE([]byte(body)), checkLen-1; i >= 0; i-- {
		out[i] = base62Digits[sum%uint32(len(base62Digits))]
		sum /= uint32(len(base62Digits))
	}
	return string(out[:])
}

// randomBase62 returns n digits of a random number below 2^256.
func randomBase62(n int) (string, error) {
	v, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 256))
	if err != nil {
		return "", err
	}
	base, digit := big.NewInt(int64(len(base62Digits))), new(big.Int)
	out := make([]byte, n)
	for i := n - 1; i >= 0; i-- {
		v.DivMod(v, base, digit)
		out[i] = base62Digits[digit.Int64()]
	}
	return string(out), nil
}
