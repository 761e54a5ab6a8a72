package devstack

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Clusters that live apart from their data directories go when those are gone, and not before.
func TestClustersElsewhereAreSwept(t *testing.T) {
	system := t.TempDir()
	place := func(data string) string {
		t.Helper()
		secrets, err := LoadSecrets(data)
		if err != nil {
			t.Fatal(err)
		}
		dir, err := elsewhere(system, data, secrets)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(dir, "data"), 0o755); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	kept, wiped, running := t.TempDir(), t.TempDir(), t.TempDir()
	want := []string{place(kept), place(running)}
	gone := place(wiped)
	if err := os.WriteFile(filepath.Join(want[1], "data", "postmaster.pid"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, data := range []string{wiped, running} {
		if err := os.Remove(filepath.Join(data, secretsFile)); err != nil {
			t.Fatal(err)
		}
	}
	want = append(want, place(wiped)) // made again, with new secrets
	for _, dir := range want {
		if _, err := os.Stat(dir); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(gone); err == nil || slices.Contains(want, gone) {
		t.Errorf("%s is still there", gone)
	}
}
