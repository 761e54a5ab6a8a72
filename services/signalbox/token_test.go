package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/services/internal/auth"
)

func TestNewTokenLetsItsOwnerIn(t *testing.T) {
	out := execute(t.Context(), nil, "", "token", "new", "--name", "orders", "--role", "producer", "--role", "viewer").ok(t)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 2 {
		t.Fatalf("got %s", out)
	}
	_, text, _ := strings.Cut(lines[0], ":")
	_, entry, _ := strings.Cut(lines[1], ":")
	stored, err := auth.ParseTokens([]byte("[" + entry + "]"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(entry, strings.TrimSpace(text)) {
		t.Error("the entry holds the secret")
	}
	who, err := auth.New(stored, []byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	p, err := who.Token(strings.TrimSpace(text))
	if err != nil || p.Name != "orders" || !p.Can(auth.EventsPublish) || !p.Can(auth.RunsRead) || p.Can(auth.TagsPromote) {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestNewTokenAsJSON(t *testing.T) {
	begin := time.Now()
	out := execute(t.Context(), nil, "", "token", "new", "--name", "kelley", "--role", "admin", "--expires", "2d", "-o", "json").ok(t)
	var doc struct {
		Token string
		Entry auth.Token
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil || !strings.HasPrefix(doc.Token, "sbx_admin_") || doc.Entry.Name != "kelley" || doc.Entry.Expires == nil {
		t.Fatalf("%v: %s", err, out)
	}
	if left := doc.Entry.Expires.Sub(begin); left < 47*time.Hour || left > 49*time.Hour {
		t.Errorf("good for %s", left)
	}
}

func TestNewTokenRefuses(t *testing.T) {
	run := func(args ...string) result {
		return execute(t.Context(), nil, "", append([]string{"token", "new"}, args...)...)
	}
	run("--name", "x").fails(t, "role")
	run("--role", "viewer").fails(t, "name")
	run("--name", "x", "--role", "job").fails(t, `role "job"`)
	run("--name", "x", "--role", "viewer", "--expires", "soon").fails(t, "--expires")
	run("--name", "x", "--role", "viewer", "--expires", "0d").fails(t, "--expires")
}
