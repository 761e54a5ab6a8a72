package rig

import (
	"os"
	"path/filepath"
	"testing"
)

// A program that is built already is taken, into a folder where its neighbours are.
func TestProgramsAreTaken(t *testing.T) {
	given, dir := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(given, "signalbox"), []byte("a program"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SIGNALBOX_BIN", given)
	for range 2 { // a second time over the first
		bin, err := Programs(t.Context(), dir, "signalbox")
		if err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(filepath.Join(bin, "signalbox")); err != nil || string(b) != "a program" {
			t.Errorf("%q, %v", b, err)
		}
		if Exists(filepath.Join(bin, "kube")) {
			t.Error("a program that nobody asked for is there")
		}
	}
}
