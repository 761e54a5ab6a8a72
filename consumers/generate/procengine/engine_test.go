package procengine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/generate"
)

// children are programs that the test binary plays when it is started under their names.
var children = map[string]func(){
	"child-result": func() {
		_, _ = os.Stdin.Read(make([]byte, 1))
		fmt.Println(`{"result":{"parts":[{"name":"part-00000.parquet","bytes":7,"rows":3}]}}`)
	},
	"child-error": func() {
		fmt.Println(`{"error":{"kind":"spec","message":"no such column"}}`)
		os.Exit(1)
	},
	"child-crash": func() {
		fmt.Fprintln(os.Stderr, "terminate called after throwing")
		os.Exit(134)
	},
	"child-other": func() { fmt.Println("signalbox 2.0, usage: ...") },
	"child-empty": func() { fmt.Println(`{}`) },
	"child-secret": func() {
		fmt.Printf(`{"error":{"kind":"internal","message":%q}}`, strings.Join(os.Environ(), " "))
	},
	"child-waits": func() { // for the end of its input, as the engine does
		_, _ = io.Copy(io.Discard, os.Stdin)
	},
}

func TestMain(m *testing.M) {
	if play, ok := children[filepath.Base(os.Args[0])]; ok {
		play()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// program is the path of a child.
func program(t *testing.T, name string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(self, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func request(t *testing.T) generate.Request {
	return generate.Request{Dir: t.TempDir(), Temp: t.TempDir()}
}

func TestBuild(t *testing.T) {
	e, err := New(Config{Path: program(t, "child-result")})
	if err != nil {
		t.Fatal(err)
	}
	res, err := e.Build(t.Context(), request(t))
	if err != nil || len(res.Parts) != 1 || res.Parts[0].Rows != 3 {
		t.Errorf("result %+v, err %v", res, err)
	}
}

func TestFailures(t *testing.T) {
	for child, want := range map[string]struct{ kind, says string }{
		"child-error": {generate.KindSpec, "no such column"},
		"child-crash": {generate.KindInternal, "exit status 134; its last words: terminate called"},
		"child-other": {"", "same version"},
		"child-empty": {"", "same version"},
	} {
		t.Run(child, func(t *testing.T) {
			e, err := New(Config{Path: program(t, child)})
			if err != nil {
				t.Fatal(err)
			}
			_, err = e.Build(t.Context(), request(t))
			var ee *generate.EngineError
			if err == nil || !strings.Contains(err.Error(), want.says) || errors.As(err, &ee) != (want.kind != "") || ee != nil && ee.Kind != want.kind {
				t.Errorf("err = %v, want kind %q with %q", err, want.kind, want.says)
			}
		})
	}
}

func TestCancelKillsTheChild(t *testing.T) {
	e, err := New(Config{Path: program(t, "child-waits")})
	if err != nil {
		t.Fatal(err)
	}
	cause := errors.New("no longer wanted")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, cause)
	defer cancel()
	if _, err := e.Build(ctx, request(t)); !errors.Is(err, cause) {
		t.Errorf("err = %v, want the cause", err)
	}
}

func TestChildGetsNoSecrets(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
	e, err := New(Config{Path: program(t, "child-secret")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.Build(t.Context(), request(t))
	if err == nil || !strings.Contains(err.Error(), "TZ=UTC") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the child's environment is %v", err)
	}
}

func TestFind(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := New(Config{}); !errors.Is(err, ErrNoProgram) || !strings.Contains(err.Error(), "make build") {
		t.Errorf("err = %v, want ErrNoProgram that says what to do", err)
	}
	if _, err := New(Config{Path: "/nowhere/" + Program}); !errors.Is(err, ErrNoProgram) || !strings.Contains(err.Error(), "/nowhere/") {
		t.Errorf("err = %v, want ErrNoProgram with the path", err)
	}
	path := program(t, Program)
	t.Setenv("PATH", filepath.Dir(path))
	if e, err := New(Config{}); err != nil || e.path != path {
		t.Errorf("found %+v (%v), want the one in PATH", e, err)
	}
}
