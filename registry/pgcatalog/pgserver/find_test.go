package pgserver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestConfigFaults(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		cfg  Config
		want []string
	}{
		{"no dir", Config{}, []string{"dir is empty"}},
		{"no port", Config{Dir: "d", Addr: "127.0.0.1"}, []string{"want host:port"}},
		{"bad port", Config{Dir: "d", Addr: "127.0.0.1:x"}, []string{"want a port"}},
		{"everywhere", Config{Dir: "d", Addr: ":5432"}, []string{"loopback"}},
		{"network", Config{Dir: "d", Addr: "10.0.0.1:5432"}, []string{"loopback"}},
		{"all faults at once", Config{Addr: "10.0.0.1:x"}, []string{"dir is empty", "loopback", "want a port"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Start(t.Context(), tc.cfg)
			for _, want := range tc.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("Start: %v, want %q in it", err, want)
				}
			}
		})
	}
	if err := (Config{Dir: "d", Addr: "[::1]:0"}).withDefaults().validate(); err != nil {
		t.Errorf("IPv6 loopback: %v", err)
	}
}

// fakeInstall makes binaries that say that they are of some version.
func fakeInstall(t *testing.T, says string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"postgres", "initdb"} {
		script := fmt.Sprintf("#!/bin/sh\necho '%s'\n", says)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFind(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	v14, v16 := fakeInstall(t, "postgres (PostgreSQL) 14.9"), fakeInstall(t, "postgres (PostgreSQL) 16beta1 (Debian 16-1)")
	other := fakeInstall(t, "hello")
	for _, tc := range []struct {
		name string
		dir  string
		want int
		fail string // "" is success
	}{
		{"new cluster", v16, 0, ""},
		{"same version as the data", v16, 16, ""},
		{"other version than the data", v16, 15, "does not fit the data"},
		{"too old", v14, 0, "too old"},
		{"something else", other, 0, `says "hello"`},
		{"nothing there", empty, 0, "has no postgres"},
		{"no such folder", filepath.Join(empty, "none"), 0, "no such file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in, err := find(t.Context(), Config{BinDir: tc.dir}, tc.want, identity{})
			if tc.fail == "" {
				if err != nil || in.major != 16 || in.dir != tc.dir {
					t.Errorf("find = %+v, %v", in, err)
				}
				return
			}
			if !errors.Is(err, ErrNoBinaries) {
				t.Fatalf("find = %+v, %v, want ErrNoBinaries", in, err)
			}
			for _, want := range []string{tc.fail, tc.dir, "apt-get install postgresql", EnvBinDir} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error does not say %q:\n%v", want, err)
				}
			}
		})
	}
}

// TestFindOrder cannot be parallel: it changes the environment.
func TestFindOrder(t *testing.T) {
	fromEnv, fromPath, extra := fakeInstall(t, "postgres (PostgreSQL) 97.1"), fakeInstall(t, "postgres (PostgreSQL) 98.1"),
		fakeInstall(t, "postgres (PostgreSQL) 99.1")
	t.Setenv("PATH", fromPath)
	t.Setenv(EnvBinDir, "")
	major := func(cfg Config, want int) int {
		in, err := find(t.Context(), cfg, want, identity{})
		if err != nil {
			t.Fatal(err)
		}
		return in.major
	}
	if got := major(Config{ExtraBinDirs: []string{extra}}, 0); got != 98 {
		t.Errorf("found version %d, want that of PATH", got)
	}
	if got := major(Config{ExtraBinDirs: []string{extra}}, 99); got != 99 {
		t.Errorf("found version %d, want the extra one that fits the data", got)
	}
	t.Setenv(EnvBinDir, fromEnv)
	if got := major(Config{ExtraBinDirs: []string{extra}}, 0); got != 97 {
		t.Errorf("found version %d, want that of the environment", got)
	}
	if got := major(Config{BinDir: extra}, 0); got != 99 {
		t.Errorf("found version %d, want that of the configuration", got)
	}
}

func TestCanReach(t *testing.T) {
	t.Parallel()
	top := reachableDir(t)
	closed := filepath.Join(top, "closed")
	inner := filepath.Join(closed, "inner")
	if err := os.MkdirAll(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	stranger := identity{switched: true, name: "stranger", uid: 54321, gid: 54321}
	if err := stranger.canReach(top); err != nil {
		t.Errorf("open folder: %v", err)
	}
	err := stranger.canReach(inner)
	if err == nil || !strings.Contains(err.Error(), "chmod o+x "+closed) {
		t.Errorf("below a closed folder: %v, want what to do about %s", err, closed)
	}
	if err := (identity{}).canReach(inner); err != nil {
		t.Errorf("as ourselves: %v", err)
	}
}

func TestNotOurData(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := dataMajor(filepath.Join(dir, "data")); err == nil || !strings.Contains(err.Error(), "move it away") {
		t.Errorf("a folder without PG_VERSION: %v", err)
	}
	if major, err := dataMajor(filepath.Join(dir, "none")); major != 0 || err != nil {
		t.Errorf("no folder = %d, %v, want a new cluster", major, err)
	}
}
