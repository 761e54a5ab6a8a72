//go:build linux

package cluster

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestDirectoryKeepsTheImagesOfAClusterThatEndedInOrder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c")
	tests := []struct {
		name    string
		settled bool
		want    []string
	}{
		{"in order", true, []string{"images", marker}},
		{"killed", false, []string{marker}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			d := claimed(t, path)
			for _, name := range []string{"images", "etcd"} {
				if err := os.MkdirAll(filepath.Join(path, name, "data"), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if tc.settled {
				if err := d.settle(); err != nil {
					t.Fatal(err)
				}
			}
			d.release()
			next := claimed(t, path)
			defer next.release()
			if err := next.wipe(); err != nil {
				t.Fatal(err)
			}
			if got := names(t, path); !slices.Equal(got, tc.want) {
				t.Errorf("left %v, want %v", got, tc.want)
			}
			if b, err := os.ReadFile(filepath.Join(path, marker)); err != nil || string(b) != running {
				t.Errorf("marked %q, %v", b, err)
			}
		})
	}
}

func TestDirectoryIsOneClusters(t *testing.T) {
	path := t.TempDir()
	d := claimed(t, path)
	if _, err := claim(path); err == nil || !strings.Contains(err.Error(), "another cluster runs in it") {
		t.Errorf("a second cluster: %v", err)
	}
	d.release()
	claimed(t, path).release()

	if err := (&directory{path: "/" + strings.Repeat("x", longest)}).fits(); err == nil {
		t.Error("a node's sockets are to fit in a long path")
	}
	if _, err := claim(filepath.Join(path, "two words")); err == nil {
		t.Error("a path with a space is taken")
	}

	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "thesis.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := claim(foreign); err == nil {
		t.Error("somebody's directory is taken")
	}
	if got := names(t, foreign); !slices.Equal(got, []string{"thesis.txt"}) {
		t.Errorf("it holds %v now", got)
	}
}

func claimed(t *testing.T, path string) *directory {
	t.Helper()
	d, err := claim(path)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func names(t *testing.T, path string) []string {
	t.Helper()
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, e := range entries {
		found = append(found, e.Name())
	}
	return found
}
