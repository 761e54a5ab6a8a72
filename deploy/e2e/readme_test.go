package e2e_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A stack that was killed says where it was; the next one on the directory takes that back before it is ready itself.
func TestStaleEndpoints(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "endpoints.json")
	if err := os.WriteFile(file, []byte(`{"control":"http://127.0.0.1:1"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	log := logFile(t, "up.log")
	cmd := exec.Command(programs.signalbox, upArgs(dir)...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	gone := false
	await(t, time.Minute, "the new endpoints", func() (bool, error) {
		b, err := os.ReadFile(file)
		gone = gone || errors.Is(err, fs.ErrNotExist)
		if err == nil && gone && strings.Contains(string(b), "127.0.0.1:1\"") {
			t.Error("the old endpoints came back")
		}
		return err == nil && !strings.Contains(string(b), "127.0.0.1:1\""), nil
	})
	if !gone {
		t.Error("the old endpoints stayed until the new ones replaced them")
	}
	if err := errors.Join(cmd.Process.Signal(syscall.SIGINT), cmd.Wait()); err != nil {
		t.Errorf("Ctrl-C: %v", err)
	}
}

// The tutorial of the README, command by command; and the next day everything is still there.
func TestReadmeTutorial(t *testing.T) {
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```sh\n(.*?)```").FindSubmatch(b)
	if block == nil {
		t.Fatal("README has no tutorial")
	}
	dir := filepath.Join(t.TempDir(), "data")
	d, stack := up(t, dir)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", string(block[1]))
	cmd.Dir = "../.."
	cmd.Env = append(append(os.Environ(), d.environ()...), "PATH="+programs.dir+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	before := d.cli(t, "tag", "history", "returns/production")
	if err := stack.Stop(time.Minute); err != nil {
		t.Fatalf("stop: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "endpoints.json")); err == nil {
		t.Error("a stopped stack says where it is")
	}
	d, stack = up(t, dir)
	t.Cleanup(func() {
		if err := stack.Stop(time.Minute); err != nil {
			t.Errorf("stop again: %v", err)
		}
	})
	if after := d.cli(t, "tag", "history", "returns/production"); after != before {
		t.Errorf("history after a restart:\n%s\nbefore:\n%s", after, before)
	}
	if said := d.cli(t, "predict", "returns", "--row", "country=DE", "amount=120", "items=1", "returned_last_time=1"); !strings.Contains(said, "PREDICTION") {
		t.Errorf("prediction after a restart:\n%s", said)
	}
	for _, want := range []string{"events.orders/", "GENERATION", "PREDICTION", "evaluate"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is missing from\n%s", want, out)
		}
	}
}
