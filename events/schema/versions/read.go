// Package versions reads and checks a directory of schemas that are versioned and published:
//
//	<type>/<major>/<minor>.json            JSON Schema of the data of CloudEvents of the type
//	<type>/<major>/examples/<minor>.json   {"valid": {<name>: <data>}, "invalid": {<name>: <data>}}
//
// Minors count from 0 without a gap, majors from 1. Within a major every version can follow the one before, in the sense
// of package compat, so a producer may write any of them and a consumer may know any other. A directory without
// <major> directories in it is no type and is left alone.
package versions

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Version is one schema of a type.
type Version struct {
	Type         string
	Major, Minor int
	Path         string // of the file in the directory
	Schema       []byte
	Examples     []byte // nil where the file is missing
}

// Name is the version as $id ends, such as order.placed/1.0.
func (v Version) Name() string { return fmt.Sprintf("%s/%d.%d", v.Type, v.Major, v.Minor) }

// ErrNoSchemas reports a directory without schemas.
var ErrNoSchemas = errors.New("no schemas: want <type>/<major>/<minor>.json, such as order.placed/1/0.json")

// Read returns every version in a directory by type, major and minor, and faults for files that stand where they mean
// nothing.
func Read(dir fs.FS) ([]Version, []Fault, error) {
	r := &reader{dir: dir}
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return nil, nil, fmt.Errorf("read schemas: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			r.typ(e.Name())
		}
	}
	if r.err != nil {
		return nil, nil, fmt.Errorf("read schemas: %w", r.err)
	}
	if len(r.versions) == 0 && len(r.faults) == 0 {
		return nil, nil, ErrNoSchemas
	}
	return r.versions, r.faults, nil
}

type reader struct {
	dir      fs.FS
	versions []Version
	faults   []Fault
	err      error
}

func (r *reader) list(dir string) []fs.DirEntry {
	entries, err := fs.ReadDir(r.dir, dir)
	r.err = errors.Join(r.err, err)
	return entries
}

func (r *reader) file(name string) []byte {
	b, err := fs.ReadFile(r.dir, name)
	if !errors.Is(err, fs.ErrNotExist) {
		r.err = errors.Join(r.err, err)
	}
	return b
}

// count reads the number of a version, of which there is one spelling.
func count(text string) (n int, ok bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 0 && strconv.Itoa(n) == text
}

func (r *reader) typ(name string) {
	entries := r.list(name)
	if !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { _, ok := count(e.Name()); return ok && e.IsDir() }) {
		return
	}
	var majors []int
	for _, e := range entries {
		major, ok := count(e.Name())
		if !ok || !e.IsDir() || major == 0 {
			r.fault(path.Join(name, e.Name()), "want directories of major versions here: 1, 2 and so on")
			continue
		}
		majors = append(majors, major)
	}
	slices.Sort(majors)
	for _, major := range majors {
		r.major(name, major)
	}
	r.counted(name, majors, 1)
}

func (r *reader) major(typ string, major int) {
	dir := path.Join(typ, strconv.Itoa(major))
	var minors []int
	for _, e := range r.list(dir) {
		minor, ok := minorOf(e)
		switch {
		case ok:
			minors = append(minors, minor)
		case e.Name() != "examples" || !e.IsDir():
			r.fault(path.Join(dir, e.Name()), "want minor versions here: 0.json, 1.json and so on, and examples")
		}
	}
	slices.Sort(minors)
	for _, minor := range minors {
		name := strconv.Itoa(minor) + ".json"
		r.versions = append(r.versions, Version{
			Type: typ, Major: major, Minor: minor, Path: path.Join(dir, name),
			Schema: r.file(path.Join(dir, name)), Examples: r.file(path.Join(dir, "examples", name)),
		})
	}
	r.counted(dir, minors, 0)
	r.examples(path.Join(dir, "examples"), minors)
}

// examples looks for examples of no version.
func (r *reader) examples(dir string, minors []int) {
	entries, err := fs.ReadDir(r.dir, dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.err = errors.Join(r.err, err)
	}
	for _, e := range entries {
		if minor, ok := minorOf(e); !ok || !slices.Contains(minors, minor) {
			r.fault(path.Join(dir, e.Name()), "these are examples of no version: correct the name or remove them")
		}
	}
}

func minorOf(e fs.DirEntry) (int, bool) {
	stem, ok := strings.CutSuffix(e.Name(), ".json")
	minor, counted := count(stem)
	return minor, ok && counted && !e.IsDir()
}

// counted finds a gap in sorted versions.
func (r *reader) counted(dir string, versions []int, first int) {
	for i, n := range versions {
		if n != first+i {
			r.fault(dir, "version %d is missing: there is %d, and versions count from %d without a gap", first+i, n, first)
			return
		}
	}
	if len(versions) == 0 {
		r.fault(dir, "there is no version in it")
	}
}

func (r *reader) fault(file, format string, args ...any) {
	r.faults = append(r.faults, Fault{File: file, Detail: fmt.Sprintf(format, args...)})
}
