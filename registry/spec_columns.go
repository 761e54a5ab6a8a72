package registry

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/signalbox-ml/signalbox/events/schema"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// columnsStay refuses streams in which a column would get another kind than it has. A name has one kind in a stream, in all
// types and for ever: files of the archive have it, and so has the table that shows them. faults are for the documents'
// author, err is not.
func (r *Registry) columnsStay(ctx context.Context, before, after declarations) (faults []error, err error) {
	faults = each(before, after, spec.KindStream, func(name string, s spec.Stream) error {
		now, fs := columnsOf(s, 0)
		earlier := map[string]given{}
		if _, ok := before[specID{spec.KindStream, name}]; ok && len(now) > 0 {
			var failed error
			earlier, failed = r.columnsBefore(ctx, name)
			err = errors.Join(err, failed)
		}
		fs = append(fs, against(s, earlier)...)
		maps.Copy(earlier, now)
		fs.Check(len(earlier) <= maxColumns, "/spec/types",
			"the stream would have %d columns with those that it had, and %d are allowed: ask for those that queries filter by", len(earlier), maxColumns)
		return fs.Join()
	})
	return faults, err
}

// columnsBefore returns the columns of all generations of a stream. Of those that do not agree, when that was not checked yet,
// the newest counts.
func (r *Registry) columnsBefore(ctx context.Context, stream string) (map[string]given, error) {
	out := map[string]given{}
	history, err := r.catalog.SpecHistory(ctx, spec.KindStream, stream)
	for _, h := range history {
		was, err := spec.Read[spec.Stream](h.Body)
		if err != nil {
			continue // no file has columns by it
		}
		columns, _ := columnsOf(was, h.Generation)
		maps.Copy(out, columns)
	}
	return out, err
}

// maxColumns bounds what the table of a stream has, and what a file has with rows of all its types.
const maxColumns = 500

// given is where a column got its kind.
type given struct {
	kind       schema.ColumnKind
	typ        string
	generation int64
}

// columnsOf returns the columns of one generation by name, and the faults of types that do not agree with an earlier one.
func columnsOf(s spec.Stream, generation int64) (map[string]given, manifest.FaultList) {
	out := map[string]given{}
	var fs manifest.FaultList
	eachColumn(s, func(typ string, c schema.Column) {
		first, ok := out[c.Name]
		if !ok {
			out[c.Name] = given{c.Kind, typ, generation}
			return
		}
		fs.Check(first.kind == c.Kind, columnAt(typ, c),
			"the column %q is of kind %s here and of kind %s in the type %s, and they share a table: write another name for one of them, such as \"%s_%s\"",
			c.Name, c.Kind, first.kind, first.typ, c.Name, c.Kind)
	})
	return out, fs
}

// against returns where s gives a column another kind than earlier generations do.
func against(s spec.Stream, earlier map[string]given) manifest.FaultList {
	var fs manifest.FaultList
	eachColumn(s, func(typ string, c schema.Column) {
		was, ok := earlier[c.Name]
		fs.Check(!ok || was.kind == c.Kind, columnAt(typ, c),
			"the column %q is of kind %s: the stream's type %s had it in generation %d, and the archive keeps that for ever: write another name, such as \"%s_%s\"",
			c.Name, was.kind, was.typ, was.generation, c.Name, c.Kind)
	})
	return fs
}

// eachColumn calls f with every column, by type. A schema that cannot be used has none: whoever compiles schemas for use has
// more to say about it.
func eachColumn(s spec.Stream, f func(typ string, c schema.Column)) {
	for _, typ := range slices.Sorted(maps.Keys(s.Types)) {
		compiled, err := schema.Compile(s.Types[typ].Schema)
		if err != nil {
			continue
		}
		for _, c := range compiled.Columns() {
			f(typ, c)
		}
	}
}

func columnAt(typ string, c schema.Column) string {
	return "/spec/types/" + manifest.Escape(typ) + "/schema/properties/" + manifest.Escape(c.Property) + "/x-signalbox-column"
}
