package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// faults collects what is wrong with a document, with JSON pointers into it.
type faults []error

func (fs *faults) add(path, format string, args ...any) {
	*fs = append(*fs, &manifest.Fault{Path: path, Problem: fmt.Sprintf(format, args...)})
}

// ok adds a fault unless it holds.
func (fs *faults) ok(holds bool, path, format string, args ...any) {
	if !holds {
		fs.add(path, format, args...)
	}
}

// err adds a fault unless err, what some check said, is nil.
func (fs *faults) err(path string, err error) {
	if err != nil {
		fs.add(path, "%v", err)
	}
}

// nested adds the faults of a member that was checked on its own.
func (fs *faults) nested(path string, err error) {
	for _, f := range manifest.Faults(err) {
		fs.add(path+f.Path, "%s", f.Problem)
	}
}

func (fs *faults) join() error { return errors.Join(*fs...) }

// at is the path of a member that a user named.
func at(path, member string) string { return path + "/" + manifest.Escape(member) }

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// isObject reports whether b is a JSON object.
func isObject(b json.RawMessage) bool {
	return bytes.HasPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte("{")) && json.Valid(b)
}
