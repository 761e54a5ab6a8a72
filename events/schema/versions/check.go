package versions

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/signalbox-ml/signalbox/events/schema"
	"github.com/signalbox-ml/signalbox/events/schema/compat"
)

// Fault is one thing wrong with a directory of schemas.
type Fault struct {
	File    string `json:"file"`              // in the directory
	Pointer string `json:"pointer,omitempty"` // JSON pointer into it
	Detail  string `json:"detail"`
}

// Checked is a type that was checked.
type Checked struct {
	Type     string `json:"type"`
	Major    int    `json:"major"`
	Versions int    `json:"versions"`
	Examples int    `json:"examples"` // valid and invalid ones of all versions
}

// Report is what a check found.
type Report struct {
	Types  []Checked `json:"types"`
	Faults []Fault   `json:"faults"` // none where all is well
}

// Check checks a directory of schemas. published holds files by path as they were published, of the same directory: of
// those none may be gone, and none may change what it says. nil skips that.
func Check(dir fs.FS, published map[string][]byte) (Report, error) {
	all, faults, err := Read(dir)
	if err != nil {
		return Report{}, err
	}
	c := &check{report: Report{Types: []Checked{}, Faults: append([]Fault{}, faults...)}}
	var line []compiled
	for i, v := range all {
		if i > 0 && (all[i-1].Type != v.Type || all[i-1].Major != v.Major) {
			c.major(line)
			line = nil
		}
		line = append(line, c.compile(v))
	}
	if len(line) > 0 {
		c.major(line)
	}
	c.published(all, published)
	return c.report, nil
}

type check struct{ report Report }

func (c *check) fault(file, pointer, format string, args ...any) {
	c.report.Faults = append(c.report.Faults, Fault{File: file, Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
}

// compiled is a version that was looked at on its own.
type compiled struct {
	Version
	schema         *schema.Schema // nil where it cannot be used
	valid, invalid map[string]json.RawMessage
}

func (c *check) compile(v Version) compiled {
	out := compiled{Version: v}
	var err error
	if out.schema, err = schema.Compile(v.Schema); err != nil {
		var bad *schema.CompileError
		if !errors.As(err, &bad) {
			c.fault(v.Path, "", "%v", err)
			return out
		}
		for _, f := range bad.Faults {
			c.fault(v.Path, f.Pointer, "%s", f.Message)
		}
		return out
	}
	var head struct {
		Schema string `json:"$schema"`
		ID     string `json:"$id"`
		Title  string
	}
	if err := json.Unmarshal(v.Schema, &head); err != nil {
		c.fault(v.Path, "", "%v", err)
	}
	if head.Schema == "" {
		c.fault(v.Path, "/$schema", "name the dialect: https://json-schema.org/draft/2020-12/schema")
	}
	if base, ok := strings.CutSuffix(head.ID, "/"+v.Name()); !ok || base == "" {
		c.fault(v.Path, "/$id", "%q is not where the file stands: want a URI that ends in /%s", head.ID, v.Name())
	}
	if head.Title != v.Type {
		c.fault(v.Path, "/title", "%q is not the type: want %q", head.Title, v.Type)
	}
	out.valid, out.invalid = c.examples(v)
	return out
}

// major compares the versions of one major.
func (c *check) major(line []compiled) {
	sum := Checked{Type: line[0].Type, Major: line[0].Major, Versions: len(line)}
	for i, v := range line {
		sum.Examples += len(v.valid) + len(v.invalid)
		if i > 0 && v.schema != nil && line[i-1].schema != nil {
			for _, f := range compat.Compare(line[i-1].schema, v.schema) {
				c.fault(v.Path, f.Pointer, "%s. It cannot follow %s: take it back, or make it 0.json of a new major", f, line[i-1].Name())
			}
		}
		c.replay(v, line)
	}
	c.report.Types = append(c.report.Types, sum)
}
