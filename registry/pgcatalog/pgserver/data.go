package pgserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// initdb takes a second of CPU; the rest is for a disk that is slow to sync.
const initTimeout = 5 * time.Minute

// makeDir makes the directory of the cluster and returns its path without links: the server is compared by it.
func makeDir(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	mode := fs.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o711 // the server is not root and must come through
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return "", err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", err
	}
	st, err := os.Stat(dir)
	if err != nil {
		return "", err
	}
	if want := st.Mode().Perm() | mode; want != st.Mode().Perm() {
		if err := os.Chmod(dir, want); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// dataMajor returns the major version that wrote the data, or 0 where there is none.
func dataMajor(data string) (int, error) {
	b, err := os.ReadFile(filepath.Join(data, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(data); err == nil {
			return 0, fmt.Errorf("%s exists but holds no PostgreSQL data: move it away", data)
		}
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0, fmt.Errorf("%s/PG_VERSION says %q", data, b)
	}
	return major, nil
}

// initialize makes the data of a new cluster. It appears under its name only when it is complete, so a crash on the way
// leaves nothing that the next start could take for a cluster.
func initialize(ctx context.Context, in install, as identity, data, password string, fast bool) error {
	building := data + ".new"
	if err := os.RemoveAll(building); err != nil {
		return err
	}
	if err := os.Mkdir(building, 0o700); err != nil {
		return err
	}
	if err := as.own(building); err != nil {
		return err
	}
	pw, err := passwordFile(filepath.Dir(data), as, password)
	if err != nil {
		return err
	}
	defer os.Remove(pw)

	ctx, cancel := context.WithTimeout(ctx, initTimeout)
	defer cancel()
	args := []string{
		"-D", building, "-U", User, "--pwfile=" + pw, "--auth-local=scram-sha-256", "--auth-host=scram-sha-256",
		"--encoding=UTF8", "--locale=C", "--data-checksums", "--no-instructions",
	}
	if fast {
		args = append(args, "--no-sync")
	}
	cmd := exec.CommandContext(ctx, in.bin("initdb"), args...)
	cmd.Env, cmd.Dir, cmd.SysProcAttr, cmd.WaitDelay = environment(), "/", attr(as), 5*time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, lastLines(string(out)))
	}
	return rename(building, data)
}

// rename is durable: a new name that a power failure takes back would have the next start make a new cluster.
func rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(to))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// passwordFile writes what initdb reads with --pwfile, for its eyes only.
func passwordFile(dir string, as identity, password string) (string, error) {
	f, err := os.CreateTemp(dir, "initdb-*")
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(password + "\n")
	if err = errors.Join(err, f.Close(), as.own(f.Name())); err != nil {
		os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// environment is all that the children get: variables such as PGDATA or LC_MESSAGES of ours must not reach them.
func environment() []string { return []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"} }
