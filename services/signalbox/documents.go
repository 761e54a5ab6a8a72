package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"unicode/utf8"

	"github.com/signalbox-ml/signalbox/registry/spec"
)

// document is one document and where it stands.
type document struct {
	spec.Document
	file string
}

// documents reads every document of a file, of the files of a directory, or of stdin, with what they name read in. All
// faults are in the error.
func (s *session) documents(file string) ([]document, error) {
	files, err := specFiles(file)
	if err != nil {
		return nil, err
	}
	var out []document
	var faults []error
	for _, f := range files {
		text, dir, err := s.readSpec(f)
		if err != nil {
			return nil, err
		}
		docs, err := spec.Parse(text)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", f, err))
			continue
		}
		for _, d := range docs {
			if err := inline(&d, dir); err != nil {
				faults = append(faults, fmt.Errorf("%s: %s %s: %w", f, d.Kind, d.Metadata.Name, err))
			}
			out = append(out, document{d, f})
		}
	}
	if len(out) == 0 && len(faults) == 0 {
		return nil, fmt.Errorf("%s: there are no documents in it", file)
	}
	return out, errors.Join(faults...)
}

// specFiles lists the files to read, a directory's in the order of their names. Deeper directories are not looked at.
func specFiles(file string) ([]string, error) {
	if file == "-" {
		return []string{file}, nil
	}
	info, err := os.Stat(file)
	if err != nil || !info.IsDir() {
		return []string{file}, err
	}
	entries, err := os.ReadDir(file)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if !e.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(e.Name())) {
			out = append(out, filepath.Join(file, e.Name()))
		}
	}
	return out, nil
}

// readSpec returns a file's text and the folder from which its paths count.
func (s *session) readSpec(file string) (text []byte, dir string, err error) {
	in, closer, err := s.open(file)
	if err != nil {
		return nil, "", err
	}
	defer closer()
	text, err = io.ReadAll(io.LimitReader(in, spec.MaxYAML+1))
	if file == "-" {
		return text, ".", err
	}
	return text, filepath.Dir(file), err
}

// open opens a file, or stdin for "-".
func (s *session) open(file string) (io.Reader, func(), error) {
	if file == "-" {
		return s.stdin, func() {}, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, err
	}
	return f, func() { _ = f.Close() }, nil // only read
}

// inline puts the content of files in the place of their paths, and then judges the document as the server will.
func inline(d *spec.Document, dir string) error {
	if d.Kind == spec.KindWorkflow {
		w, err := spec.Read[spec.Workflow](d.Spec)
		if err != nil {
			return err
		}
		for name, f := range w.Files {
			if f.File == "" {
				continue
			}
			content, err := readSource(dir, f.File)
			if err != nil {
				return fmt.Errorf("/spec/files/%s/file: %w", name, err)
			}
			w.Files[name] = spec.WorkflowFile{Content: content}
		}
		if d.Spec, err = json.Marshal(w); err != nil {
			return err
		}
	}
	_, err := spec.Check(*d)
	return err
}

// readSource reads a Python file. A document may come from somebody else: whoever applies it must not send keys or
// passwords away with it.
func readSource(dir, path string) (string, error) {
	if filepath.IsAbs(path) || filepath.Ext(path) != ".py" {
		return "", fmt.Errorf("%s: want the path of a .py file, from the document's folder", path)
	}
	full, err := filepath.EvalSymlinks(filepath.Join(dir, path))
	if err != nil {
		return "", err
	}
	info, err := os.Stat(full)
	if err != nil {
		return "", err
	}
	if filepath.Ext(full) != ".py" || !info.Mode().IsRegular() || info.Size() > spec.MaxBody {
		return "", fmt.Errorf("%s: want a .py file of at most %d bytes", path, spec.MaxBody)
	}
	b, err := os.ReadFile(full)
	if err == nil && (!utf8.Valid(b) || bytes.ContainsRune(b, 0)) {
		err = fmt.Errorf("%s: is not UTF-8 text", path)
	}
	return string(b), err
}
