package devstack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/signalbox-ml/signalbox/registry/pgcatalog/pgserver"
)

// SystemDir is where root's cluster lives when the data directory is closed to others, and its binaries when only root's
// cache has some: PostgreSQL refuses to run as root, and the user that it runs as must be able to reach its files.
const SystemDir = "/var/lib/signalbox"

func startPostgres(ctx context.Context, cfg Config, secrets Secrets) (*pgserver.Server, error) {
	dir := filepath.Join(cfg.Dir, "postgres")
	if os.Geteuid() == 0 && !reachable(cfg.Dir) {
		var err error
		if dir, err = elsewhere(SystemDir, cfg.Dir, secrets); err != nil {
			return nil, err
		}
		cfg.Log.Info("the data directory is closed to other users, the database lives elsewhere", "dir", dir)
	}
	return pgserver.Start(ctx, pgserver.Config{Dir: dir, ExtraBinDirs: cfg.PostgresDirs})
}

// owned is the end of the name of the file that says which data directory a cluster below SystemDir belongs to.
const owned = ".of"

// clusterOf names a cluster by its stack's own secret: a directory that was wiped and made again gets a new one.
func clusterOf(secrets Secrets) string {
	sum := sha256.Sum256([]byte(secrets.RunKey))
	return "postgres-" + hex.EncodeToString(sum[:6])
}

// elsewhere returns the cluster of data below system, and removes those whose data directories are gone.
func elsewhere(system, data string, secrets Secrets) (string, error) {
	abs, err := filepath.Abs(data)
	if err == nil {
		err = os.MkdirAll(system, 0o755)
	}
	if err == nil {
		err = sweep(system)
	}
	dir := filepath.Join(system, clusterOf(secrets))
	if err == nil {
		err = WriteFile(dir+owned, []byte(abs))
	}
	if err != nil {
		return "", fmt.Errorf("place for the database: %w", err)
	}
	return dir, nil
}

func sweep(system string) error {
	notes, err := filepath.Glob(filepath.Join(system, "postgres-*"+owned))
	if err != nil {
		return err
	}
	for _, note := range notes {
		b, err := os.ReadFile(note)
		if err != nil {
			return err
		}
		cluster := strings.TrimSuffix(note, owned)
		secrets, err := readSecrets(filepath.Join(string(b), secretsFile))
		if err == nil && clusterOf(secrets) == filepath.Base(cluster) || err != nil && !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if _, err := os.Stat(filepath.Join(cluster, "data", "postmaster.pid")); err == nil {
			continue // it still runs, or was killed and will be looked at when it is next started
		}
		if err := errors.Join(os.RemoveAll(cluster), os.Remove(note)); err != nil {
			return err
		}
	}
	return nil
}

// reachable reports whether every directory above dir lets others pass.
func reachable(dir string) bool {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return false
	}
	for {
		info, err := os.Stat(abs)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		if abs == filepath.Dir(abs) {
			return true
		}
		abs = filepath.Dir(abs)
	}
}
