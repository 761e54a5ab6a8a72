package ingest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/schema"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// contract is what the stream of a type demands. It never changes: a new spec makes new contracts.
type contract struct {
	topic  string
	schema *schema.Schema // nil where the declared one cannot be used
}

// table is every type that is declared.
type table struct {
	read    time.Time // when the look began that found this
	types   map[string]*contract
	streams map[string]stream
}

// stream is one spec as it was compiled.
type stream struct {
	spec  registry.Spec
	types map[string]*contract
}

// compile makes a table of specs, keeping the contracts of prev that still hold. A stream that cannot be read as a whole
// keeps its former types; the error says what the operator has to mend, and comes once for each spec.
func compile(prev *table, list []registry.Spec, read time.Time) (*table, error) {
	t := &table{read: read, types: map[string]*contract{}, streams: make(map[string]stream, len(list))}
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
			t.streams[s.Name] = stream{spec: s, types: types}
			errs = append(errs, err)
		}
		maps.Copy(t.types, t.streams[s.Name].types)
	}
	return t, errors.Join(errs...)
}

// contracts compiles the types of one stream; nil where it cannot be read at all.
func contracts(s registry.Spec) (map[string]*contract, error) {
	body, err := spec.Read[spec.Stream](s.Body)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", s.Name, err)
	}
	out := make(map[string]*contract, len(body.Types))
	var errs []error
	for _, typ := range slices.Sorted(maps.Keys(body.Types)) {
		c := &contract{topic: events.StreamTopic(s.Name)}
		if c.schema, err = schema.Compile(body.Types[typ].Schema); err != nil {
			errs = append(errs, fmt.Errorf("stream %s: type %s: %w", s.Name, typ, err))
		}
		out[typ] = c
	}
	return out, errors.Join(errs...)
}
