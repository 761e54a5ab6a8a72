package kotlin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/deploy/examples/flights"
	"github.com/signalbox-ml/signalbox/services/trainer"
)

// The client that a generator makes of schemas/openapi.yaml compiles, and the program that uses it does its work on a
// running stack.
func TestKotlin(t *testing.T) {
	ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Minute, errors.New("not within ten minutes"))
	defer cancel()
	dir := t.TempDir()
	run(ctx, t, command{dir: ".", args: []string{"mvn", "-q", "-B", "-Dstyle.color=never", "-Dtarget=" + dir, "package"}})

	bin := programs(ctx, t)
	env := stack(ctx, t, bin)
	cli := filepath.Join(bin, "signalbox")
	run(ctx, t, command{env: env, args: []string{cli, "apply", "-f", "../orders"}})
	run(ctx, t, command{env: env, args: []string{"bash", "-euo", "pipefail", "-c", `python3 ../orders/events.py | "$0" emit -f -`, cli}})
	await(ctx, t, func() error {
		return command{env: env, args: []string{cli, "predict", "returns", "--row", "country=DE", "amount=120", "items=1", "returned_last_time=1"}}.quietly(ctx)
	})

	said := run(ctx, t, command{env: env, args: []string{"java", "-jar", filepath.Join(dir, "signalbox-kotlin.jar")}})
	for _, want := range []string{
		`(?m)^event at events\.orders/[01]/\d+$`, `(?m)^run [0-9a-f-]{36}\n(  (requested|queued|running)\n)*  complete$`, `(?m)^[1-9]\d* runs, the newest of `,
		`(?m)^predicted \{prediction=0\.\d+\} by generation [1-9]\d*, package sha256\.[A-Z2-7]{52}$`,
	} {
		if !regexp.MustCompile(want).MatchString(said) {
			t.Errorf("it did not say %s:\n%s", want, said)
		}
	}

	// What the server refuses is told in its words.
	denied := command{env: append(env, "SIGNALBOX_TOKEN=none"), args: []string{"java", "-jar", filepath.Join(dir, "signalbox-kotlin.jar")}}
	if err := denied.quietly(ctx); err == nil || !strings.Contains(err.Error(), "unauthenticated") {
		t.Errorf("without a token: %v", err)
	}
}

// programs is the folder of the binaries: that of $SIGNALBOX_BIN, or one that they are built into.
func programs(ctx context.Context, t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("SIGNALBOX_BIN"); dir != "" {
		abs, err := filepath.Abs(dir)
		if err != nil {
			t.Fatal(err)
		}
		return abs
	}
	dir := t.TempDir()
	for name, cgo := range map[string]string{"signalbox": "0", "signalbox-duckdb": "1"} {
		run(ctx, t, command{
			env: []string{"CGO_ENABLED=" + cgo}, args: []string{"go", "build", "-o", filepath.Join(dir, name), "../../../services/" + name},
		})
	}
	return dir
}

// stack starts `signalbox up` for the time of the test and returns what programs need to reach it.
func stack(ctx context.Context, t *testing.T, bin string) []string {
	t.Helper()
	dir := t.TempDir()
	files, err := trainer.Install(dir)
	if err != nil {
		t.Fatal(err)
	}
	flag := run(ctx, t, command{args: []string{"../../setup/postgres-flag.sh"}}) // the extra that a machine without PostgreSQL needs
	var extras []string
	if extra, ok := strings.CutPrefix(strings.TrimSpace(flag), "--with-"); ok {
		extras = append(extras, extra)
	}
	python, err := files.Environment(ctx, extras...)
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "up.log"))
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	s, err := flights.StartStack(ctx, data, log, filepath.Join(bin, "signalbox"), "up", "--data", data, "--python", python,
		"--archive-max-age", "1s", "--listen", "127.0.0.1:0", "--predict-listen", "127.0.0.1:0", "--kafka-listen", "127.0.0.1:0", "--s3-listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(time.Minute); err != nil {
			t.Errorf("stop: %v", err)
		}
		if b, err := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("up.log (%v):\n%s", err, b[max(0, len(b)-20_000):])
		}
		_ = log.Close() // it was only written for the lines above
	})
	var at struct{ Control, Predict, Token string }
	b, err := os.ReadFile(filepath.Join(data, "endpoints.json"))
	if err = errors.Join(err, json.Unmarshal(b, &at)); err != nil {
		t.Fatal(err)
	}
	return []string{"SIGNALBOX_URL=" + at.Control, "SIGNALBOX_PREDICT_URL=" + at.Predict, "SIGNALBOX_TOKEN=" + at.Token}
}

// command is a program to run; env adds to the test's own.
type command struct {
	dir  string
	env  []string
	args []string
}

// run wants success and returns what was printed.
func run(ctx context.Context, t *testing.T, c command) string {
	t.Helper()
	out, err := c.output(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (c command) quietly(ctx context.Context) error {
	_, err := c.output(ctx)
	return err
}

func (c command) output(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, c.args[0], c.args[1:]...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = c.dir, append(os.Environ(), c.env...), 10*time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(c.args[:min(3, len(c.args))], " "), err, out)
	}
	return string(out), nil
}

// await tries until there is success.
func await(ctx context.Context, t *testing.T, try func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal(err)
		case <-tick.C:
		}
	}
}
