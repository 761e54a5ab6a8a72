package auth

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// ParseTokens reads a file of tokens: a JSON array of Token. Whatever it does not understand is an error that names the entry,
// because a restriction that is misspelt must not be none. Errors tell no secret, even one that was put in the wrong place.
func ParseTokens(b []byte) ([]Token, error) {
	var list []json.RawMessage
	if err := json.Unmarshal(b, &list); err != nil || list == nil {
		return nil, errors.Join(errors.New("want a JSON array of {name, sha256, roles, expires}, where expires is optional"), err)
	}
	var ts []Token
	var faults []error
	for i, raw := range list {
		var t Token
		if err := parseToken(raw, &t); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", entry(i, t), err))
		}
		ts = append(ts, t)
	}
	if faults == nil {
		faults = append(faults, checkTokens(ts))
	}
	return ts, errors.Join(faults...)
}

// parseToken reads one entry. Of one that is wrong it leaves what could be read.
func parseToken(raw json.RawMessage, t *Token) error {
	err := json.Unmarshal(raw, t)
	var mistyped *json.UnmarshalTypeError
	switch {
	case errors.As(err, &mistyped) && mistyped.Field == "":
		return errors.New("want an object")
	case errors.As(err, &mistyped) && mistyped.Type.Kind() == reflect.Slice:
		return errors.New("roles: want an array")
	case errors.As(err, &mistyped):
		return fmt.Errorf("%s: want text", mistyped.Field)
	case err != nil:
		return fmt.Errorf("expires: want a time such as %s", time.RFC3339)
	}
	return members(raw)
}

// members refuses names that are unknown or there twice, which the decoder lets pass, as it does other spellings.
func members(raw json.RawMessage) error {
	known := []string{"name", "sha256", "roles", "expires"}
	var faults []error
	d, seen := json.NewDecoder(bytes.NewReader(raw)), map[string]bool{}
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var skipped json.RawMessage
		if err := d.Decode(&skipped); err != nil {
			return err
		}
		switch text, _ := name.(string); {
		case !slices.Contains(known, text):
			faults = append(faults, fmt.Errorf("unknown member %s: want one of %s", clean(text), strings.Join(known, ", ")))
		case seen[text]:
			faults = append(faults, fmt.Errorf("%s is there twice", text))
		default:
			seen[text] = true
		}
	}
	return errors.Join(faults...)
}

// checkTokens lists what is wrong with tokens, one by one and together.
func checkTokens(ts []Token) error {
	var faults []error
	fault := func(i int, format string, args ...any) {
		faults = append(faults, fmt.Errorf("%s: %w", entry(i, ts[i]), fmt.Errorf(format, args...)))
	}
	hashes := map[string]int{}
	for i, t := range ts {
		if strings.TrimSpace(t.Name) == "" {
			fault(i, "no name: say whose token it is")
		}
		if len(t.Roles) == 0 {
			fault(i, "no roles: want some of %v", Roles())
		}
		for _, r := range t.Roles {
			if !slices.Contains(Roles(), r) {
				fault(i, "role %s: want one of %v", clean(string(r)), Roles())
			}
		}
		h, err := hex.DecodeString(t.SHA256)
		if err != nil || len(h) != sha256.Size {
			fault(i, "sha256 is not 64 hex digits")
			continue
		}
		if first, ok := hashes[string(h)]; ok {
			fault(i, "it has the sha256 of %s: keep one of them, with all roles", entry(first, ts[first]))
		}
		hashes[string(h)] = i
	}
	return errors.Join(faults...)
}

// entry names a token by its place in the list, from 1.
func entry(i int, t Token) string {
	if t.Name == "" {
		return fmt.Sprintf("entry %d", i+1)
	}
	return fmt.Sprintf("entry %d (%s)", i+1, clean(t.Name))
}

// clean quotes text of the file unless it may be a secret.
func clean(text string) string {
	if strings.Contains(text, tokenPrefix) {
		return "[it looks like a token]"
	}
	return fmt.Sprintf("%.100q", text)
}
