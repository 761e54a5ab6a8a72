package rootfs

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// object is what the dynamic loader would read of a program or a library.
type object struct {
	path        string
	interpreter string
	needs       []string // names of libraries
	paths       []string // where to look for them first, $ORIGIN replaced
}

// readObject returns nil for a file that is no ELF file.
func readObject(path string) (*object, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	magic := make([]byte, 4)
	if n, _ := f.ReadAt(magic, 0); n < 4 || string(magic) != elf.ELFMAG {
		return nil, nil
	}
	e, err := elf.NewFile(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	o := &object{path: path}
	if o.needs, err = e.ImportedLibraries(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, tag := range []elf.DynTag{elf.DT_RPATH, elf.DT_RUNPATH} {
		lists, err := e.DynString(tag)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		for _, list := range lists {
			for _, p := range strings.Split(list, ":") {
				p = strings.NewReplacer("$ORIGIN", filepath.Dir(path), "${ORIGIN}", filepath.Dir(path)).Replace(p)
				o.paths = append(o.paths, filepath.Clean(p))
			}
		}
	}
	for _, p := range e.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		b := make([]byte, p.Filesz)
		if _, err := p.ReadAt(b, 0); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		o.interpreter = strings.TrimRight(string(b), "\x00")
	}
	return o, nil
}

// systemPaths is where the dynamic loader looks by itself, and where the linker's configuration usually points.
func systemPaths() []string {
	var paths []string
	for _, pattern := range []string{
		"/lib/*-linux-gnu", "/usr/lib/*-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib", "/usr/local/lib64",
	} {
		found, _ := filepath.Glob(pattern) // the patterns are well-formed
		paths = append(paths, found...)
	}
	return paths
}

// closure returns the libraries that the objects need, and those that these need, by name, as real paths; and the
// dynamic loaders by the path that programs name. Libraries below one of the folders within are somebody's own and not
// returned, but what they need is.
func closure(objects []*object, within, system []string) (libraries, loaders map[string]string, err error) {
	libraries, loaders = map[string]string{}, map[string]string{}
	seen, given := map[string]bool{}, map[string]string{}
	for _, o := range objects {
		given[filepath.Base(o.path)] = filepath.Dir(o.path)
	}
	for len(objects) > 0 {
		o := objects[0]
		objects = objects[1:]
		if o.interpreter != "" {
			if loaders[o.interpreter], err = filepath.EvalSymlinks(o.interpreter); err != nil {
				return nil, nil, fmt.Errorf("loader of %s: %w", o.path, err)
			}
		}
		for _, name := range o.needs {
			dirs := slices.Concat(o.paths, system)
			if dir, ok := given[name]; ok {
				dirs = append(dirs, dir) // it counts on its user having loaded that one: so do wheels' libraries
			}
			found, err := find(name, dirs)
			if err != nil {
				return nil, nil, fmt.Errorf("%s needs %s: %w", o.path, name, err)
			}
			if !slices.ContainsFunc(within, func(dir string) bool { return strings.HasPrefix(found, dir+"/") }) {
				libraries[name] = found
			}
			if seen[found] {
				continue
			}
			seen[found] = true
			next, err := readObject(found)
			if err != nil {
				return nil, nil, err
			}
			if next != nil {
				objects = append(objects, next)
			}
		}
	}
	return libraries, loaders, nil
}

// find returns the real path of a library.
func find(name string, dirs []string) (string, error) {
	for _, dir := range dirs {
		path, err := filepath.EvalSymlinks(filepath.Join(dir, name))
		if err == nil {
			return path, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", errors.New("it is in none of the usual folders: install the package that has it")
}
