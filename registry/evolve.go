package registry

import (
	"errors"
	"maps"
	"slices"

	"github.com/signalbox-ml/signalbox/events/schema"
	"github.com/signalbox-ml/signalbox/events/schema/compat"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// wayOut is what to do about a change that would break readers.
const wayOut = "give the changed event a type of its own, or set compatibility: none on the type if nobody reads it"

// readable refuses changes of a stream after which somebody could not read what somebody else wrote. It looks at the
// declaration before alone: what package compat lets follow it can follow all before it, too, up to the last one that
// made no promise.
func readable(before declarations, name string, s spec.Stream) error {
	old, ok := before[specID{spec.KindStream, name}]
	if !ok {
		return nil
	}
	was, err := spec.Read[spec.Stream](old.Body)
	if err != nil {
		return err
	}
	var fs manifest.FaultList
	for _, typ := range slices.Sorted(maps.Keys(was.Types)) {
		at := "/spec/types/" + manifest.Escape(typ)
		earlier := was.Types[typ]
		later, kept := s.Types[typ]
		switch {
		case earlier.Compatibility == spec.CompatibilityNone || later.Compatibility == spec.CompatibilityNone:
		case !kept:
			fs.Add(at, "the stream has the type and readers expect it: keep it, or declare it with compatibility: none before you take it away")
		default:
			evolve(&fs, at+"/schema", earlier, later)
		}
	}
	return fs.Join()
}

// evolve adds why later cannot follow earlier.
func evolve(fs *manifest.FaultList, at string, earlier, later spec.StreamType) {
	if string(earlier.Schema) == string(later.Schema) {
		return
	}
	now, err := schema.Compile(later.Schema)
	if err != nil {
		return // whoever compiles schemas for use has more to say about it
	}
	was, err := schema.Compile(earlier.Schema)
	var bad *schema.CompileError
	if errors.As(err, &bad) {
		fs.Add(at, "the schema that is declared cannot be compared with it (%s: %s): %s", bad.Faults[0].Pointer, bad.Faults[0].Message, wayOut)
		return
	}
	for _, f := range compat.Compare(was, now) {
		fs.Add(at+f.Pointer, "%s; %s", f, wayOut)
	}
}
