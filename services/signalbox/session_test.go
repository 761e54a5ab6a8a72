package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// plane is a server that remembers the credentials that came to it.
func plane(t *testing.T) (url string, got func() []string) {
	t.Helper()
	var seen []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization"))
		_, _ = w.Write([]byte(`{"runs":[],"predictions":[]}`))
	}))
	t.Cleanup(srv.Close)
	return srv.URL, func() []string { return seen }
}

func TestWhereAddressesComeFrom(t *testing.T) {
	runs := []string{"runs", "ls"}
	predict := []string{"predict", "m", "--row", "x=1"}
	for _, c := range []struct {
		name  string
		args  []string
		flags []string // URL stands for the other server, DIR for the stack's directory
		env   map[string]string
		other bool   // the other server is asked, not the stack's
		auth  string // that the asked server sees
	}{
		{"the running stack", runs, nil, nil, false, "Bearer sbx_stack"},
		{"the running stack, predictions", predict, nil, nil, false, "Bearer sbx_stack"},
		{"another token for the running stack", runs, []string{"--token", "sbx_flag"}, nil, false, "Bearer sbx_flag"},
		{"environment", runs, nil, map[string]string{"SIGNALBOX_URL": "URL", "SIGNALBOX_TOKEN": "sbx_env"}, true, "Bearer sbx_env"},
		{"flags before environment", runs, []string{"--url", "URL", "--token", "sbx_flag"},
			map[string]string{"SIGNALBOX_URL": "http://127.0.0.1:1", "SIGNALBOX_TOKEN": "sbx_env"}, true, "Bearer sbx_flag"},
		{"a directory that is named before environment", runs, []string{"--data", "DIR"},
			map[string]string{"SIGNALBOX_URL": "URL", "SIGNALBOX_TOKEN": "sbx_env"}, false, "Bearer sbx_stack"},
		{"the stack's token goes nowhere else", runs, []string{"--url", "URL"}, nil, true, ""},
		{"nor to another data plane", predict, []string{"--predict-url", "URL"}, nil, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			stack, stackSaw := plane(t)
			other, otherSaw := plane(t)
			dir := t.TempDir()
			if err := (Endpoints{Control: stack, Predict: stack, Token: "sbx_stack"}).write(dir); err != nil {
				t.Fatal(err)
			}
			env := map[string]string{"SIGNALBOX_DATA": dir}
			for k, v := range c.env {
				env[k] = strings.Replace(v, "URL", other, 1)
			}
			args := c.args
			for _, f := range c.flags {
				args = append(args, strings.NewReplacer("URL", other, "DIR", dir).Replace(f))
			}
			execute(t.Context(), env, "", args...).ok(t)
			asked, quiet := stackSaw(), otherSaw()
			if c.other {
				asked, quiet = quiet, asked
			}
			if len(quiet) != 0 || len(asked) != 1 || asked[0] != c.auth {
				t.Errorf("the asked server saw %q, want %q; the other one %q", asked, c.auth, quiet)
			}
		})
	}
}

func TestWithoutAStack(t *testing.T) {
	dir := t.TempDir()
	env := map[string]string{"SIGNALBOX_DATA": dir}
	execute(t.Context(), env, "", "runs", "ls").fails(t, "signalbox up --data "+dir, "SIGNALBOX_URL")
	execute(t.Context(), nil, "", "runs", "ls", "--data", dir).fails(t, dir)
	env["SIGNALBOX_URL"] = "http://127.0.0.1:1"
	execute(t.Context(), env, "", "predict", "m", "--row", "x=1").fails(t, "SIGNALBOX_PREDICT_URL")
	execute(t.Context(), env, "", "runs", "ls").fails(t, "connection refused", "is the stack still running?")
}

func TestEveryCommandExplainsItself(t *testing.T) {
	s := newSession(strings.NewReader(""), nil, nil, os.LookupEnv)
	for _, c := range clientCommands(s) {
		leaves := c.Commands()
		if len(leaves) == 0 {
			leaves = append(leaves, c)
		}
		for _, leaf := range leaves {
			if leaf.Short == "" || leaf.RunE == nil || !strings.Contains(leaf.Example, "signalbox "+strings.TrimPrefix(leaf.CommandPath(), "signalbox ")) {
				t.Errorf("%s: short %q, example %q", leaf.CommandPath(), leaf.Short, leaf.Example)
			}
		}
		if c.HasSubCommands() {
			execute(t.Context(), nil, "", c.Name()).fails(t, "signalbox "+c.Name()+" --help")
			execute(t.Context(), nil, "", c.Name(), "nonsense").fails(t, "nonsense")
		}
	}
}

// A flag of a command that hides one of the shared flags would send the command to another stack.
func TestNoFlagHidesASharedOne(t *testing.T) {
	root := rootOf(newSession(strings.NewReader(""), nil, nil, os.LookupEnv))
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for name := range strings.FieldsSeq("url predict-url token data output") {
			if c != root && c.Flags().Lookup(name) != nil {
				t.Errorf("%s has a flag --%s of its own", c.CommandPath(), name)
			}
		}
		if c != root && c.Flags().ShorthandLookup("o") != nil {
			t.Errorf("%s has a flag -o of its own", c.CommandPath())
		}
		for _, child := range c.Commands() {
			walk(child)
		}
	}
	walk(root)
}

func TestEnv(t *testing.T) {
	dir := t.TempDir()
	e := Endpoints{Control: "http://127.0.0.1:7700", Predict: "http://127.0.0.1:7701", Token: "sbx_it's", Kafka: "127.0.0.1:7709"}
	if err := e.write(dir); err != nil {
		t.Fatal(err)
	}
	out := execute(t.Context(), nil, "", "env", "--data", dir).ok(t)
	for _, line := range []string{"export SIGNALBOX_URL='http://127.0.0.1:7700'\n", "export SIGNALBOX_TOKEN='sbx_it'\\''s'\n", "export KAFKA_BROKERS='127.0.0.1:7709'\n"} {
		if !strings.Contains(out, line) {
			t.Errorf("no %q in\n%s", line, out)
		}
	}
	if out := execute(t.Context(), nil, "", "env", "--data", dir, "-o", "json").ok(t); !strings.Contains(out, `"control": "http://127.0.0.1:7700"`) {
		t.Error(out)
	}
	execute(t.Context(), nil, "", "env", "--data", filepath.Join(dir, "none")).fails(t, "signalbox up")
}
