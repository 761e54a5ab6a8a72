package spec

import (
	"cmp"
	"encoding/json"
	"strings"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// Stream declares a topic and what may be published to it.
type Stream struct {
	// Partitions of the topic; 0 means 4. It cannot change once the topic exists.
	Partitions int32 `json:"partitions,omitempty"`
	// Types are the CloudEvents types that the stream accepts. A type belongs to one stream.
	Types map[string]StreamType `json:"types"`
}

// defaultPartitions is what a stream without a number of partitions has.
const defaultPartitions = 4

// TopicPartitions is how many partitions the stream's topic has.
func (s Stream) TopicPartitions() int32 { return cmp.Or(s.Partitions, defaultPartitions) }

// StreamType is the contract of one CloudEvents type.
type StreamType struct {
	Description string `json:"description,omitempty"`
	// Schema is a JSON Schema for the event's data, of the part of 2020-12 that package events/schema has.
	Schema json.RawMessage `json:"schema"`
	// Compatibility is CompatibilityFull, which "" means as well, or CompatibilityNone.
	Compatibility string `json:"compatibility,omitempty"`
}

// What changes of a type's schema are allowed.
const (
	// CompatibilityFull allows what package events/schema/compat can prove: who knows one version can read what was written
	// with any other since the type was declared, or since it was CompatibilityNone.
	CompatibilityFull = "full"
	// CompatibilityNone allows every change, and to take the type away. Readers have to look after themselves.
	CompatibilityNone = "none"
)

// maxPartitions keeps a typing error from costing a cluster.
const maxPartitions = 1000

// Validate lists everything that is wrong with s. Whether schemas compile is for others to say.
func (s Stream) Validate() error {
	var fs manifest.FaultList
	fs.Check(s.Partitions >= 0 && s.Partitions <= maxPartitions, "/partitions", "want 1 to %d, or none for 4", maxPartitions)
	fs.Check(len(s.Types) > 0, "/types", "name at least one CloudEvents type")
	for _, typ := range sorted(s.Types) {
		path := at("/types", typ)
		fs.Check(!events.IsLifecycle(typ), path, "the type is reserved for Signalbox itself")
		checkType(&fs, path, typ)
		fs.Check(isObject(s.Types[typ].Schema), path+"/schema", "want a JSON Schema, an object")
		switch s.Types[typ].Compatibility {
		case "", CompatibilityFull, CompatibilityNone:
		default:
			fs.Add(path+"/compatibility", "want %s or %s", CompatibilityFull, CompatibilityNone)
		}
	}
	return fs.Join()
}

// checkType checks a CloudEvents type: it becomes a header, a directory name and a label.
func checkType(fs *manifest.FaultList, path, typ string) {
	bad := strings.IndexFunc(typ, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._-", r))
	})
	fs.Check(typ != "" && len(typ) <= 128 && bad < 0, path,
		"%.128q: want 1 to 128 letters, digits, dots, dashes and underscores, such as com.example.order.paid", typ)
}
