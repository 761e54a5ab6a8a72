package main

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/registry/cas"
)

func TestProblemsBecomeOneLine(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"pointers": {422, `{"title":"Unprocessable Entity","detail":"two faults","errors":[{"pointer":"/train/label","detail":"is missing"},{"pointer":"/owner","detail":"say who"}],"request_id":"r-7"}`,
			"signalbox: list runs: 422 Unprocessable Entity: two faults; /train/label: is missing; /owner: say who (request r-7)\n"},
		"pointers that the detail has": {422, `{"title":"Unprocessable Entity","detail":"/owner: say who","errors":[{"pointer":"/owner","detail":"say who"}]}`,
			"signalbox: list runs: 422 Unprocessable Entity: /owner: say who\n"},
		"credential": {401, `{"title":"Unauthorized","detail":"send a valid token"}`,
			"signalbox: list runs: 401 Unauthorized: send a valid token: set SIGNALBOX_TOKEN or --token\n"},
		"lines and control characters": {400, `{"title":"Bad Request","detail":"one\ntwo\u001b[31m"}`,
			"signalbox: list runs: 400 Bad Request: one; two\\u001b[31m\n"},
		"no problem document": {502, `<html>`, "signalbox: list runs: 502 Bad Gateway\n"},
	} {
		t.Run(name, func(t *testing.T) {
			env := serve(t, canned{"GET /v1/runs": problem(c.status, c.body)})
			got := execute(t.Context(), env, "", "runs", "ls")
			if got.code != 1 || got.err != c.want || got.out != "" {
				t.Errorf("exit code %d, stdout %q, stderr\n%swant\n%s", got.code, got.out, got.err, c.want)
			}
		})
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	execute(ctx, serve(t, canned{}), "", "runs", "ls").fails(t, "interrupted")
}

func TestCells(t *testing.T) {
	for want, v := range map[string]any{
		"-":                    cas.Digest{},
		"2026-01-02T03:04:05Z": time.Date(2026, 1, 2, 4, 4, 5, 6, time.FixedZone("", 3600)),
		"a\\u0009b\\u000a":     "a\tb\n",
		"0":                    0,
		"é":                    "é",
	} {
		if got := cell(v); got != want {
			t.Errorf("%v: got %q, want %q", v, got, want)
		}
	}
	if got := cell(time.Time{}) + cell(""); got != "--" {
		t.Errorf("got %q", got)
	}
	if got := cell(fmt.Errorf("x")); got != "x" {
		t.Errorf("got %q", got)
	}
}

func TestOutputFormats(t *testing.T) {
	env := serve(t, canned{"GET /v1/runs": `{"runs":[]}`})
	same(t, execute(t.Context(), env, "", "runs", "ls").ok(t), "RUN   MODEL   STATE   ATTEMPT   CREATED   PACKAGE")
	same(t, execute(t.Context(), env, "", "runs", "ls", "-o", "json").ok(t), "{\n  \"runs\": []\n}")
	execute(t.Context(), env, "", "runs", "ls", "-o", "yaml").fails(t, "want text or json")
}
