package main

import (
	"strings"
	"testing"
)

// offered is what a shell would be offered after these words.
func offered(t *testing.T, env map[string]string, words ...string) string {
	t.Helper()
	r := execute(t.Context(), env, "", append([]string{"__complete"}, words...)...)
	if r.code != 0 {
		t.Fatalf("exit code %d: %s", r.code, r.err)
	}
	offers, _, _ := strings.Cut(r.out, ":")
	return strings.Join(strings.Fields(offers), " ")
}

func TestCompletionAsksTheServer(t *testing.T) {
	const run = "9081e64f-b2c0-455e-bcaa-c1c211fa124b"
	env := serve(t, canned{
		"GET /v1/tags":             `{"tags":[{"tag":"delay/canary"},{"tag":"delay/production"}]}`,
		"GET /v1/specs?kind=Model": `{"specs":[{"kind":"Model","name":"delay"}]}`,
		"GET /v1/runs":             `{"runs":[{"id":"` + run + `"}]}`,
		"GET /v1/packages":         `{"packages":[{"id":"` + digest("p") + `"}]}`,
		"GET /v1/datasets":         `{"datasets":[{"id":"` + digest("d") + `"}]}`,
		"GET /v1/archive":          `{"topics":[{"topic":"events.flights"}]}`,
	})
	for words, want := range map[string]string{
		"tag get ":                           "delay/canary delay/production",
		"tag set --reason x ":                "delay/canary delay/production",
		"tag set --reason x delay/canary ":   digest("p"),
		"tag set --reason x delay/canary x ": "",
		"predict ":                           "delay delay/canary delay/production",
		"runs get ":                          run,
		"runs ls --model ":                   "delay",
		"runs ls --state ":                   "requested queued running complete failed cancelled",
		"packages download ":                 digest("p"),
		"lineage ":                           digest("p"),
		"dataset get ":                       digest("d"),
		"archive status --topic ":            "events.flights",
		"specs get ":                         "Stream Dataset Workflow Model",
		"specs get Model ":                   "delay",
		"token new --role ":                  "viewer predictor producer trainer promoter admin",
		"runs ls -o ":                        "text json",
	} {
		if got := offered(t, env, strings.Split(words, " ")...); got != want {
			t.Errorf("%s: offered %q, want %q", words, got, want)
		}
	}
}

func TestCompletionIsSilentWithoutAServer(t *testing.T) {
	env := map[string]string{"SIGNALBOX_DATA": t.TempDir()}
	if got := offered(t, env, "tag", "get", ""); got != "" {
		t.Errorf("offered %q", got)
	}
	env["SIGNALBOX_URL"] = "http://127.0.0.1:1"
	if got := offered(t, env, "runs", "get", ""); got != "" {
		t.Errorf("offered %q", got)
	}
}
