package spec

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// at is the path of a member that a user named.
func at(path, member string) string { return path + "/" + manifest.Escape(member) }

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// isObject reports whether b is a JSON object.
func isObject(b json.RawMessage) bool {
	return bytes.HasPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte("{")) && json.Valid(b)
}
