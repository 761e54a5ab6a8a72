package devstack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"

	"github.com/signalbox-ml/signalbox/registry/pgcatalog/pgserver"
)

// systemDir is where root's cluster lives when the data directory is closed to others: PostgreSQL refuses to run as
// root, and the user that it runs as must be able to reach its files.
const systemDir = "/var/lib/signalbox"

func startPostgres(ctx context.Context, cfg Config, secrets Secrets) (*pgserver.Server, error) {
	dir := filepath.Join(cfg.Dir, "postgres")
	if os.Geteuid() == 0 && !reachable(cfg.Dir) {
		// Named by the stack's own secret: a directory that was wiped and made again gets a new cluster.
		sum := sha256.Sum256([]byte(secrets.RunKey))
		dir = filepath.Join(systemDir, "postgres-"+hex.EncodeToString(sum[:6]))
		cfg.Log.Info("the data directory is closed to other users, the database lives elsewhere", "dir", dir)
	}
	return pgserver.Start(ctx, pgserver.Config{Dir: dir, ExtraBinDirs: cfg.PostgresDirs})
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
