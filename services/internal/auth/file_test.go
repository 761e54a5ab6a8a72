package auth

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// stored returns a new token's entry, and its hash.
func stored(t testing.TB, name string, roles ...Role) (Token, string) {
	t.Helper()
	_, tok, err := NewToken(name, roles...)
	if err != nil {
		t.Fatal(err)
	}
	return tok, tok.SHA256
}

func TestParseTokens(t *testing.T) {
	a, _ := stored(t, "orders", Producer)
	b, _ := stored(t, "orders", Producer, Viewer) // a name may have several tokens, as while one replaces the other
	end := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	b.Expires = &end
	want := []Token{a, b}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseTokens(text)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := ParseTokens([]byte("[]")); err != nil || len(got) != 0 {
		t.Errorf("an empty file: %v, %v", got, err)
	}
}

// TestParseTokensRefuses: what is not understood, or would let in whom nobody meant, is no file of tokens.
func TestParseTokensRefuses(t *testing.T) {
	secret, tok, err := NewToken("secret", Admin)
	if err != nil {
		t.Fatal(err)
	}
	_, other := stored(t, "x", Viewer)
	entry := func(more string) string {
		return fmt.Sprintf(`{"name":"orders","sha256":%q,"roles":["viewer"]%s}`, tok.SHA256, more)
	}
	for name, c := range map[string]struct{ file, want string }{
		"nothing":             {``, "want a JSON array"},
		"null":                {`null`, "want a JSON array"},
		"an object":           {entry(""), "want a JSON array"},
		"two arrays":          {`[][]`, "want a JSON array"},
		"a misspelt end":      {`[` + entry(`,"expiry":"2030-01-01T00:00:00Z"`) + `]`, `entry 1 ("orders"): unknown member "expiry": want one of name, sha256, roles, expires`},
		"another spelling":    {`[` + entry(`,"Expires":null`) + `]`, `unknown member "Expires"`},
		"a restriction":       {`[` + entry(`,"sources":["/orders"]`) + `]`, `unknown member "sources"`},
		"an end twice":        {`[` + entry(`,"expires":"2030-01-01T00:00:00Z","expires":null`) + `]`, `entry 1 ("orders"): expires is there twice`},
		"no time":             {`[` + entry(`,"expires":"tomorrow"`) + `]`, `entry 1 ("orders"): expires: want a time such as`},
		"a time as a number":  {`[` + entry(`,"expires":1893456000`) + `]`, `entry 1 ("orders"): expires: want a time such as`},
		"no name":             {`[` + strings.Replace(entry(""), "orders", " ", 1) + `]`, "entry 1 (\" \"): no name"},
		"null as an entry":    {`[null]`, "entry 1: no name"},
		"a number":            {`[7]`, "entry 1: want an object"},
		"no roles":            {`[{"name":"orders","sha256":"` + tok.SHA256 + `"}]`, `entry 1 ("orders"): no roles`},
		"an empty array":      {`[{"name":"orders","roles":[],"sha256":"` + tok.SHA256 + `"}]`, `entry 1 ("orders"): no roles`},
		"roles as text":       {`[{"name":"orders","roles":"viewer"}]`, `entry 1 ("orders"): roles: want an array`},
		"a role as a number":  {`[{"name":"orders","roles":[1]}]`, `entry 1 ("orders"): roles: want text`},
		"the role of jobs":    {`[` + strings.Replace(entry(""), "viewer", "job", 1) + `]`, `entry 1 ("orders"): role "job": want one of`},
		"the second of two":   {`[` + entry("") + `,{"name":"y","sha256":"` + other + `","roles":["king"]}]`, `entry 2 ("y"): role "king"`},
		"one hash twice":      {`[` + entry("") + `,{"name":"y","sha256":"` + strings.ToUpper(tok.SHA256) + `","roles":["admin"]}]`, `entry 2 ("y"): it has the sha256 of entry 1 ("orders")`},
		"half a hash":         {`[` + strings.Replace(entry(""), tok.SHA256, tok.SHA256[:32], 1) + `]`, `entry 1 ("orders"): sha256 is not 64 hex digits`},
		"the secret":          {`[` + strings.Replace(entry(""), tok.SHA256, secret, 1) + `]`, `entry 1 ("orders"): sha256 is not 64 hex digits`},
		"the secret as name":  {`[{"name":"` + secret + `","sha256":"","roles":[]}]`, `entry 1 ([it looks like a token]): no roles`},
		"the secret as role":  {`[{"name":"x","roles":["` + secret + `"],"sha256":""}]`, `entry 1 ("x"): role [it looks like a token]`},
		"the secret as key":   {`[{"` + secret + `":"x"}]`, `entry 1: unknown member [it looks like a token]`},
		"the secret as end":   {`[` + entry(`,"expires":"`+secret+`"`) + `]`, `entry 1 ("orders"): expires: want a time`},
		"the secret as entry": {`["` + secret + `"]`, `entry 1: want an object`},
	} {
		_, err := ParseTokens([]byte(c.file))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), secret[20:]) {
			t.Errorf("%s: the error tells the secret: %v", name, err)
		}
	}
}

// TestNewChecksTokens: tokens that did not come from a file are held to the same.
func TestNewChecksTokens(t *testing.T) {
	good, _ := stored(t, "a", Viewer)
	again, nameless, powerless := good, good, good
	again.Name, again.Roles = "b", []Role{Admin}
	nameless.Name, powerless.Roles = "", nil
	for want, list := range map[string][]Token{
		`entry 2 ("b"): it has the sha256 of entry 1 ("a")`: {good, again}, "entry 1: no name": {nameless}, `entry 1 ("a"): no roles`: {powerless},
		`entry 1 ("c"): sha256 is not`: {{Name: "c", SHA256: "00", Roles: []Role{Viewer}}},
	} {
		if _, err := New(list, key()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// FuzzParseTokens: what is read can be used, and is what another reader would have read.
func FuzzParseTokens(f *testing.F) {
	tok, hash := stored(f, "orders", Producer)
	text, err := json.Marshal([]Token{tok})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`[{"name":"a","sha256":"` + hash + `","roles":["viewer"],"expires":"2030-01-01T00:00:00Z","expires":null}]`))
	f.Add([]byte(`[{"name":"a","NAME":"b"},null,7,[]]`))
	f.Fuzz(func(t *testing.T, file []byte) {
		got, err := ParseTokens(file)
		if err != nil {
			return
		}
		var want []Token
		if err := json.Unmarshal(file, &want); err != nil || len(got) != len(want) || len(got) > 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("%v: %+v, want %+v", err, got, want)
		}
		if _, err := New(got, key()); err != nil {
			t.Errorf("it cannot be used: %v", err)
		}
	})
}
