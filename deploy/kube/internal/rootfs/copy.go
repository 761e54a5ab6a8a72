package rootfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// copyTree puts the files below from below to, without those that skip names. Links to files become the files, and
// links to folders are not followed: an environment has only its own lib64.
func copyTree(from, to string, skip func(path string, dir bool) bool) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path != from && skip(path, d.IsDir()) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		st, err := os.Stat(path)
		if err != nil || !st.Mode().IsRegular() {
			return err
		}
		return place(path, target)
	})
}

// place puts a file somewhere else: a hard link costs nothing, and where it is not possible the kernel copies, by
// reference if the file system can.
func place(from, to string) error {
	from, err := filepath.EvalSymlinks(from) // a link to a link would be one
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	err = os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	r, err := os.Open(from)
	if err != nil {
		return err
	}
	defer r.Close()
	st, err := r.Stat()
	if err != nil {
		return err
	}
	w, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, st.Mode().Perm())
	if err != nil {
		return err
	}
	if _, err = io.Copy(w, r); err != nil {
		w.Close()
		return err
	}
	return w.Close()
}

// needless reports what no job imports of a standard library: its tests, what compiles extensions, the desktop, byte
// code of other runs, and other people's packages.
func needless(path string, dir bool) bool {
	name := filepath.Base(path)
	if !dir {
		return needlessFile(name) || strings.HasPrefix(name, "_tkinter.") || strings.HasPrefix(name, "_test") && strings.Contains(name, ".so")
	}
	switch name {
	case "__pycache__", "tests", "test", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "site-packages", "dist-packages":
		return true
	}
	return strings.HasPrefix(name, "config-") // of the interpreter's own build
}

// needlessOfPackages is needless for a folder of packages. Some packages import their own tests, so only those of the
// large ones that do not are left out.
func needlessOfPackages(path string, dir bool) bool {
	name := filepath.Base(path)
	if !dir {
		return needlessFile(name) || name == "RECORD"
	}
	switch name {
	case "__pycache__", "include", "bin":
		return true
	case "tests":
		for _, large := range []string{"pandas", "pyarrow", "scipy"} {
			if strings.Contains(path, "/site-packages/"+large+"/") {
				return true
			}
		}
	}
	return false
}

// needlessFile reports what only a compiler reads, and links to extras, which are not of jobs.
func needlessFile(name string) bool {
	switch filepath.Ext(name) {
	case ".a", ".h", ".hpp", ".pth", ".pxd", ".pyx", ".pyi", ".pyc":
		return true
	}
	return false
}

// objectsBelow reads every ELF file of a tree.
func objectsBelow(dir string, skip func(path string, dir bool) bool) ([]*object, error) {
	var objects []*object
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path != dir && skip(path, d.IsDir()) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.Contains(d.Name(), ".so") || d.IsDir() {
			return nil
		}
		o, err := readObject(path)
		if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		if o != nil {
			objects = append(objects, o)
		}
		return nil
	})
	return objects, err
}
