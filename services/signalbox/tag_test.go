package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/remote"
)

// timeless puts a word in the place of every time.
func timeless(s string) string {
	return regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`).ReplaceAllString(s, "TIME")
}

func TestTagsMoveAndComeBack(t *testing.T) {
	w := newWorld(t)
	a, b := w.publish("a"), w.publish("b")
	got := w.run("tag", "set", "delay/production", a.String(), "--reason", "first").ok(t)
	same(t, timeless(got), "tag          delay/production\ngeneration   1\npackage      "+a.String()+"\nby           kelley\nreason       first\nsince        TIME")
	w.run("tag", "set", "delay/production", b.String(), "--from", "1", "--reason", "better").ok(t)

	// Somebody who has not seen generation 2 moves nothing.
	r := w.run("tag", "set", "delay/production", a.String(), "--from", "1", "--reason", "late")
	r.fails(t, "412 Precondition Failed", "generation 2", "moved by kelley to "+b.String(), "--from 2")
	if strings.Count(r.err, "\n") != 1 {
		t.Errorf("more than a line: %s", r.err)
	}
	w.run("tag", "rollback", "delay/production", "--reason", "wrong on holidays").ok(t)
	w.run("tag", "rollback", "delay/production", "--to", "2").ok(t)

	history := timeless(w.run("tag", "history", "delay/production").ok(t))
	same(t, history, strings.Join([]string{
		"GENERATION   AT                     BY       PACKAGE                                                       REASON",
		"1            TIME   kelley   " + a.String() + "   first",
		"2            TIME   kelley   " + b.String() + "   better",
		"3            TIME   kelley   " + a.String() + "   wrong on holidays",
		"4            TIME   kelley   " + b.String() + "   back to generation 2",
	}, "\n"))
	var doc struct{ Generations []remote.Tag }
	if err := json.Unmarshal([]byte(w.run("tag", "history", "delay/production", "-o", "json").ok(t)), &doc); err != nil || len(doc.Generations) != 4 ||
		doc.Generations[3].Tag != "delay/production" || doc.Generations[3].Generation != 4 {
		t.Errorf("%v: %+v", err, doc)
	}
	if out := w.run("tag", "ls").ok(t); !strings.Contains(out, "delay/production   4 ") || !strings.Contains(out, b.String()) {
		t.Error(out)
	}
}

func TestTagAsOf(t *testing.T) {
	w := newWorld(t)
	a, b := w.publish("a"), w.publish("b")
	w.run("tag", "set", "delay/production", a.String(), "--from", "0", "--reason", "first").ok(t)
	first, err := w.reg.Resolve(t.Context(), registry.Tag{Model: "delay", Name: "production"})
	if err != nil {
		t.Fatal(err)
	}
	w.run("tag", "set", "delay/production", b.String(), "--reason", "second").ok(t)
	if out := w.run("tag", "get", "delay/production").ok(t); !strings.Contains(out, "generation   2") || !strings.Contains(out, "before       "+a.String()) {
		t.Error(out)
	}
	if out := w.run("tag", "get", "delay/production", "-o", "json").ok(t); !strings.Contains(out, `"tag": "delay/production"`) || !strings.Contains(out, `"generation": 2`) {
		t.Error(out)
	}
	at := first.At.Format(time.RFC3339Nano)
	if out := w.run("tag", "get", "delay/production", "--as-of", at).ok(t); !strings.Contains(out, "generation   1") {
		t.Error(out)
	}
	w.run("tag", "get", "delay/production", "--as-of", "yesterday").fails(t, "--as-of")
	w.run("tag", "get", "delay/production", "--as-of", "2001-01-01T00:00:00Z").fails(t, "tag get delay/production: 404 Not Found")
}

func TestTagRefuses(t *testing.T) {
	w := newWorld(t)
	unknown := cas.Sum([]byte("unknown")).String()
	w.run("tag", "set", "delay/production", unknown, "--reason", "x").fails(t, "422 Unprocessable Entity", "/arms/0/package", "is not published")
	w.run("tag", "set", "delay/production", unknown).fails(t, "reason")
	w.run("tag", "set", "delay/production", "sha256.x", "--reason", "x").fails(t, "not a digest")
	w.run("tag", "set", "delay", unknown, "--reason", "x").fails(t, "want <model>/<name>")
	w.run("tag", "rollback", "delay/none").fails(t, "tag rollback delay/none: 404 Not Found")
}

func TestArms(t *testing.T) {
	a, b := cas.Sum([]byte("a")), cas.Sum([]byte("b"))
	if got, want := arms([]registry.Arm{{Package: a, Weight: 9950}, {Package: b, Weight: 50}}), a.String()+" 99.5%, "+b.String()+" 0.5%"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
