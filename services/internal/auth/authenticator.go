package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Authenticator turns credentials into principals.
type Authenticator struct {
	tokens map[[sha256.Size]byte]Token
	runKey []byte
	now    func() time.Time
}

// New returns an Authenticator for static tokens and for run tokens signed with runKey (32 random bytes).
func New(tokens []Token, runKey []byte) (*Authenticator, error) {
	if len(runKey) < 32 {
		return nil, fmt.Errorf("run key: want at least 32 bytes, got %d", len(runKey))
	}
	if err := checkTokens(tokens); err != nil {
		return nil, fmt.Errorf("tokens: %w", err)
	}
	a := &Authenticator{tokens: make(map[[sha256.Size]byte]Token, len(tokens)), runKey: runKey, now: time.Now}
	for _, t := range tokens {
		h, err := hex.DecodeString(t.SHA256)
		if err != nil {
			return nil, fmt.Errorf("tokens: %w", err)
		}
		a.tokens[[sha256.Size]byte(h)] = t
	}
	return a, nil
}

// Empty reports that nobody could authenticate with a static token.
func (a *Authenticator) Empty() bool { return len(a.tokens) == 0 }

// Request authenticates the Authorization header of r: "Bearer <token>". A request without one is ErrBadToken, too.
func (a *Authenticator) Request(r *http.Request) (Principal, error) {
	text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return Principal{}, ErrBadToken
	}
	return a.Token(strings.TrimSpace(text))
}

// Token authenticates the text of a token. Secrets have 256 random bits, so a plain hash is enough, and looking the
// hash up leaks nothing that helps to guess a token.
func (a *Authenticator) Token(text string) (Principal, error) {
	if rest, ok := strings.CutPrefix(text, runPrefix); ok {
		return a.runToken(rest)
	}
	if !wellFormed(text) {
		return Principal{}, ErrBadToken
	}
	t, ok := a.tokens[sha256.Sum256([]byte(text))]
	if !ok || t.Expires != nil && !a.now().Before(*t.Expires) {
		return Principal{}, ErrBadToken
	}
	return Principal{Name: t.Name, Roles: t.Roles}, nil
}

const runPrefix = "sbx_run_"

// runClaims is what a run token says. It needs no storage: the signature vouches for it until it expires.
type runClaims struct {
	Run     string `json:"run"`
	Attempt int    `json:"attempt"`
	Expires int64  `json:"exp"` // Unix seconds
}

// MintRun returns a token that may report on one attempt of one run and push its package, until ttl has passed.
func (a *Authenticator) MintRun(run string, attempt int, ttl time.Duration) (string, error) {
	b, err := json.Marshal(runClaims{Run: run, Attempt: attempt, Expires: a.now().Add(ttl).Unix()})
	if err != nil {
		return "", fmt.Errorf("mint token of run %s: %w", run, err)
	}
	body := base64.RawURLEncoding.EncodeToString(b)
	return runPrefix + body + "." + base64.RawURLEncoding.EncodeToString(a.sign(body)), nil
}

func (a *Authenticator) runToken(rest string) (Principal, error) {
	body, mac, ok := strings.Cut(rest, ".")
	got, err := base64.RawURLEncoding.DecodeString(mac)
	if !ok || err != nil || !hmac.Equal(got, a.sign(body)) {
		return Principal{}, ErrBadToken
	}
	raw, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return Principal{}, ErrBadToken
	}
	var c runClaims
	if err := json.Unmarshal(raw, &c); err != nil || a.now().Unix() >= c.Expires {
		return Principal{}, ErrBadToken
	}
	return Principal{Name: "run:" + c.Run, Roles: []Role{Job}, Run: c.Run, Attempt: c.Attempt}, nil
}

func (a *Authenticator) sign(body string) []byte {
	m := hmac.New(sha256.New, a.runKey)
	m.Write([]byte(runPrefix + body))
	return m.Sum(nil)
}

type principalKey struct{}

// With returns ctx carrying p.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalFrom returns the caller of a request, or the zero Principal, which may do nothing.
func PrincipalFrom(ctx context.Context) Principal {
	p, _ := ctx.Value(principalKey{}).(Principal)
	return p
}
