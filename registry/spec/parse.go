package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// MaxYAML is the size of the largest YAML text that Parse reads, in bytes.
const MaxYAML = 16 << 20

// Fault is one thing wrong with a document of a YAML text.
type Fault struct {
	Document int    // from 1, empty ones not counted
	Line     int    // of the text, from 1
	Name     string // "<kind> <name>" as far as it can be read
	Path     string // JSON pointer into the document
	Problem  string
}

// Error implements error.
func (f *Fault) Error() string {
	where := fmt.Sprintf("document %d", f.Document)
	if f.Name != "" {
		where += " (" + f.Name + ")"
	}
	if f.Path != "" {
		return fmt.Sprintf("%s, line %d: %s: %s", where, f.Line, f.Path, f.Problem)
	}
	return fmt.Sprintf("%s, line %d: %s", where, f.Line, f.Problem)
}

// Unwrap makes every fault an ErrInvalid.
func (f *Fault) Unwrap() error { return ErrInvalid }

// Parse reads documents of YAML, or JSON, which is YAML too. It refuses unknown and duplicate members, and everything
// that Check refuses except that a workflow's files may still name their File. All faults of all documents are in the
// error, each a *Fault.
func Parse(text []byte) ([]Document, error) {
	if len(text) > MaxYAML {
		return nil, fmt.Errorf("%d bytes of YAML, at most %d are read: %w", len(text), MaxYAML, ErrInvalid)
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var docs []Document
	var errs []error
	for n := 1; ; {
		var node yaml.Node
		err := dec.Decode(&node)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil { // its text names the line; nothing after it can be read
			errs = append(errs, fmt.Errorf("document %d: %s: %w", n, strings.TrimPrefix(err.Error(), "yaml: "), ErrInvalid))
			break
		}
		if isEmpty(&node) {
			continue
		}
		d, err := parseOne(n, &node)
		docs, errs = append(docs, d), append(errs, err)
		n++
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return docs, nil
}

// isEmpty reports whether there is nothing between two separators.
func isEmpty(n *yaml.Node) bool {
	return len(n.Content) == 0 || n.Content[0].Kind == yaml.ScalarNode && n.Content[0].Tag == "!!null" && n.Content[0].Value == ""
}

func parseOne(n int, root *yaml.Node) (Document, error) {
	c := converter{lines: map[string]int{}}
	v := c.value(root.Content[0], "")
	err := c.faults.Join()
	var d Document
	if err == nil {
		var b []byte
		if b, err = json.Marshal(v); err == nil {
			err = manifest.Decode(b, MaxYAML, &d)
		}
	}
	if err == nil {
		_, err = check(d, false)
	}
	if err == nil {
		return d, nil
	}
	var errs []error
	for _, f := range manifest.Faults(err) {
		errs = append(errs, &Fault{Document: n, Line: c.line(f.Path), Name: title(v), Path: f.Path, Problem: f.Problem})
	}
	if len(errs) == 0 {
		return Document{}, fmt.Errorf("document %d: %w", n, err)
	}
	return Document{}, errors.Join(errs...)
}

// title names a document that may not be one.
func title(v any) string {
	m, _ := v.(map[string]any)
	meta, _ := m["metadata"].(map[string]any)
	kind, _ := m["kind"].(string)
	name, _ := meta["name"].(string)
	return fmt.Sprintf("%.100s", strings.TrimSpace(kind+" "+name))
}
