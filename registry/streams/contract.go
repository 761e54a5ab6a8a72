package streams

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/schema"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// Contract is what the stream of a type demands. It never changes: a new spec makes new contracts.
type Contract struct {
	// Topic of the stream.
	Topic string
	// Schema of the data; nil where the declared one cannot be used.
	Schema *schema.Schema
	// Spec is the digest of the stream's spec.
	Spec cas.Digest
}

// Table is every type that is declared, as one look at the specs found it.
type Table struct {
	// Read is when that look began: what was applied before is in the table.
	Read    time.Time
	types   map[string]*Contract
	streams map[string]stream
	topics  map[string]registry.Spec
	columns map[string]map[string][]schema.Column // by topic and type
}

// Contract returns what is declared for a type; nil where nothing is.
func (t *Table) Contract(typ string) *Contract { return t.types[typ] }

// HasTopic reports whether a topic is that of a declared stream, and one of its specs could be read.
func (t *Table) HasTopic(topic string) bool { return t.topics[topic].Name != "" }

// Spec returns the newest spec of a topic's stream; the zero Spec where HasTopic is false.
func (t *Table) Spec(topic string) registry.Spec { return t.topics[topic] }

// stream is one spec as it was compiled.
type stream struct {
	spec    registry.Spec
	types   map[string]*Contract
	columns map[string][]schema.Column
}

// Of returns the table of one spec alone, for questions about what was declared once.
func Of(s registry.Spec) *Table {
	t, _ := compile(&Table{}, []registry.Spec{s}, s.Updated) // what is wrong with it was told when it was new
	return t
}

// compile makes a table of specs, keeping the contracts of prev that still hold. A stream that cannot be read as a whole
// keeps its former types; the error says what the operator has to mend, and comes once for each spec.
func compile(prev *Table, list []registry.Spec, read time.Time) (*Table, error) {
	t := &Table{
		Read: read, types: map[string]*Contract{}, streams: make(map[string]stream, len(list)), topics: make(map[string]registry.Spec, len(list)),
		columns: map[string]map[string][]schema.Column{},
	}
	var errs []error
	for _, s := range list {
		old, had := prev.streams[s.Name]
		if had && old.spec.Digest == s.Digest {
			t.streams[s.Name] = old
		} else {
			types, err := contracts(s)
			if types == nil {
				types = old.types
			}
			t.streams[s.Name] = stream{spec: s, types: types, columns: columnsOf(types)}
			errs = append(errs, err)
		}
		maps.Copy(t.types, t.streams[s.Name].types)
		if t.streams[s.Name].types != nil {
			t.topics[events.StreamTopic(s.Name)] = s
		}
		if columns := t.streams[s.Name].columns; columns != nil {
			t.columns[events.StreamTopic(s.Name)] = columns
		}
	}
	return t, errors.Join(errs...)
}

// contracts compiles the types of one stream; nil where it cannot be read at all.
func contracts(s registry.Spec) (map[string]*Contract, error) {
	body, err := spec.Read[spec.Stream](s.Body)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", s.Name, err)
	}
	out := make(map[string]*Contract, len(body.Types))
	var errs []error
	for _, typ := range slices.Sorted(maps.Keys(body.Types)) {
		c := &Contract{Topic: events.StreamTopic(s.Name), Spec: s.Digest}
		if c.Schema, err = schema.Compile(body.Types[typ].Schema); err != nil {
			errs = append(errs, fmt.Errorf("stream %s: type %s: %w", s.Name, typ, err))
		}
		out[typ] = c
	}
	return out, errors.Join(errs...)
}
