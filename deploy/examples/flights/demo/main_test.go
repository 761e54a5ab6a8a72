package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Only what an earlier demo made is wiped: the folder of somebody else must survive a misspelt --data.
func TestWipe(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if err := wipe(dir); err != nil {
		t.Errorf("nothing there: %v", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	precious := filepath.Join(dir, "thesis.txt")
	if err := os.WriteFile(precious, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := wipe(dir); err == nil || !strings.Contains(err.Error(), "--data") {
		t.Errorf("a foreign folder: %v", err)
	}
	if _, err := os.Stat(precious); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, marker), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := wipe(dir); err != nil || exists(dir) {
		t.Errorf("an earlier demo's folder: %v, still there: %v", err, exists(dir))
	}
}

func TestInputNeedsTables(t *testing.T) {
	if _, _, err := input(options{full: true}); err == nil || !strings.Contains(err.Error(), "make demo FULL=1") {
		t.Errorf("%v", err)
	}
	if _, _, err := input(options{full: true, tables: t.TempDir()}); err == nil {
		t.Error("an empty folder has no flights")
	}
}

func TestWords(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 681982: "681,982", 1234567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{filepath.Join(here, "bin", "signalbox"): "bin/signalbox", "/usr/bin/signalbox": "/usr/bin/signalbox"} {
		if got := nearby(path); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
}
