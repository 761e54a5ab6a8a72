// Package rootfs makes root file systems of images from what this machine has: no base image, no package manager.
package rootfs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Where things lie in the image. The interpreter finds its library beside itself wherever it is.
const (
	pythonHome = "/opt/python"
	sourceHome = "/opt/signalbox"
	libraries  = "/usr/lib" // every dynamic loader looks there
	caFile     = "/etc/ssl/certs/ca-certificates.crt"
)

// Python says what the trainer's image is made from.
type Python struct {
	// Interpreter is the python of the environment of jobs.
	Interpreter string
	// Source is the folder that holds the package signalbox.
	Source string
	// Out is the folder to fill. It is made if missing, and must be empty.
	Out string
}

// Made tells what the image of a root file system needs to know.
type Made struct {
	// Dir is the root file system.
	Dir string `json:"dir"`
	// Python is the interpreter's path in it.
	Python string `json:"python"`
	// Env are the lines of the image's environment.
	Env []string `json:"env"`
	// Files and Bytes are its size, and Seconds is what making it took.
	Files   int     `json:"files"`
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"`
}

// layout is what an interpreter says about itself.
type layout struct {
	Version  string `json:"version"` // 3.11
	Binary   string `json:"binary"`
	Stdlib   string `json:"stdlib"`
	Packages string `json:"packages"`
}

const askLayout = `
import json, os, sys, sysconfig
version = "%d.%d" % sys.version_info[:2]
print(json.dumps({
    "version": version,
    "binary": os.path.realpath(sys.executable),
    "stdlib": sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix, "base": sys.base_prefix}),
    "packages": sysconfig.get_path("purelib"),
}))`

// MakePython fills Out with an interpreter, its standard library, the packages of its environment, the package
// signalbox, every shared library that one of them needs, and the few files that programs expect of a system. The same
// inputs make the same files.
func MakePython(ctx context.Context, p Python) (Made, error) {
	began := time.Now()
	made, err := p.make(ctx)
	if err != nil {
		return Made{}, fmt.Errorf("make root file system: %w", err)
	}
	made.Seconds = float64(time.Since(began).Milliseconds()) / 1000
	return made, nil
}

func (p Python) make(ctx context.Context) (Made, error) {
	out, err := filepath.Abs(p.Out)
	if err != nil {
		return Made{}, err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return Made{}, err
	}
	if there, err := os.ReadDir(out); err != nil || len(there) > 0 {
		return Made{}, errors.Join(err, fmt.Errorf("%s is not empty: name another directory", out))
	}
	if _, err := os.Stat(filepath.Join(p.Source, "signalbox", "__init__.py")); err != nil {
		return Made{}, fmt.Errorf("source %s holds no package signalbox: %w", p.Source, err)
	}
	l, err := p.ask(ctx)
	if err != nil {
		return Made{}, err
	}
	if err := l.copyInto(out); err != nil {
		return Made{}, err
	}
	if err := copyTree(p.Source, filepath.Join(out, sourceHome), needlessOfPackages); err != nil {
		return Made{}, err
	}
	if err := l.copyLibraries(out); err != nil {
		return Made{}, err
	}
	if err := system(out); err != nil {
		return Made{}, err
	}
	if err := compile(ctx, out); err != nil {
		return Made{}, err
	}
	made := Made{Dir: out, Python: pythonHome + "/bin/python", Env: []string{
		"PATH=" + pythonHome + "/bin:/usr/bin:/bin", "PYTHONPATH=" + sourceHome, "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1",
		"SSL_CERT_FILE=" + caFile, "HOME=/tmp", "LANG=C.UTF-8",
	}}
	made.Files, made.Bytes, err = size(out)
	return made, err
}

func (p Python) ask(ctx context.Context) (layout, error) {
	cmd := exec.CommandContext(ctx, p.Interpreter, "-I", "-c", askLayout)
	out, err := cmd.Output()
	if err != nil {
		return layout{}, fmt.Errorf("ask %s where its files are: %w", p.Interpreter, err)
	}
	var l layout
	if err := json.Unmarshal(out, &l); err != nil {
		return layout{}, fmt.Errorf("ask %s where its files are: %w", p.Interpreter, err)
	}
	return l, nil
}

// copyInto copies the interpreter, its library and the packages.
func (l layout) copyInto(out string) error {
	bin := filepath.Join(out, pythonHome, "bin")
	if err := place(l.Binary, filepath.Join(bin, "python"+l.Version)); err != nil {
		return err
	}
	for _, name := range []string{"python", "python3"} {
		if err := os.Symlink("python"+l.Version, filepath.Join(bin, name)); err != nil {
			return err
		}
	}
	lib := filepath.Join(out, pythonHome, "lib", "python"+l.Version)
	if err := copyTree(l.Stdlib, lib, needless); err != nil {
		return err
	}
	return copyTree(l.Packages, filepath.Join(lib, "site-packages"), needlessOfPackages)
}

// copyLibraries copies what the dynamic loader will ask for, and the loader. Libraries of packages lie beside them and
// are found by their place; all others go to one folder.
func (l layout) copyLibraries(out string) error {
	objects := []*object{}
	for dir, skip := range map[string]func(string, bool) bool{l.Stdlib: needless, l.Packages: needlessOfPackages} {
		found, err := objectsBelow(dir, skip)
		if err != nil {
			return err
		}
		objects = append(objects, found...)
	}
	binary, err := readObject(l.Binary)
	if err != nil {
		return err
	}
	found, loaders, err := closure(append(objects, binary), []string{l.Packages}, systemPaths())
	if err != nil {
		return err
	}
	// glibc loads these by name at run time: to end threads, and to look up hosts.
	for _, name := range []string{"libgcc_s.so.1", "libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2"} {
		if path, err := find(name, systemPaths()); err == nil {
			found[name] = path
		}
	}
	for name, path := range found {
		if err := place(path, filepath.Join(out, libraries, name)); err != nil {
			return err
		}
	}
	for name, path := range loaders {
		if err := place(path, filepath.Join(out, name)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}
