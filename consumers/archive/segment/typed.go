package segment

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/parquet-go/parquet-go"

	"github.com/signalbox-ml/signalbox/events/schema"
)

// Columns are the typed columns that events have in a file, by CloudEvents type.
type Columns map[string][]schema.Column

// Only returns those of one type.
func (c Columns) Only(typ string) Columns {
	if len(c[typ]) == 0 {
		return nil
	}
	return Columns{typ: c[typ]}
}

// typed is which columns a file has beside the fixed ones, and where they stand in an event's data.
type typed struct {
	columns []schema.Column // by name
	places  map[string]places
}

// places are the typed columns of one event type, by property.
type places map[string]place

type place struct {
	column int // in typed.columns
	kind   schema.ColumnKind
}

// newTyped makes one column of all that have the same name. Types that do not agree on its kind should not be in one file: it
// is then that of the first of them.
func newTyped(of Columns) *typed {
	t, kinds := &typed{}, map[string]schema.ColumnKind{}
	for _, typ := range slices.Sorted(maps.Keys(of)) {
		for _, c := range of[typ] {
			if _, ok := kinds[c.Name]; !ok {
				kinds[c.Name] = c.Kind
				t.columns = append(t.columns, c)
			}
		}
	}
	slices.SortFunc(t.columns, func(a, b schema.Column) int { return cmp.Compare(a.Name, b.Name) })
	t.places = make(map[string]places, len(of))
	for typ, columns := range of {
		t.places[typ] = places{}
		for _, c := range columns {
			if c.Kind == kinds[c.Name] {
				i, _ := slices.BinarySearchFunc(t.columns, c.Name, func(a schema.Column, name string) int { return cmp.Compare(a.Name, name) })
				t.places[typ][c.Property] = place{i, c.Kind}
			}
		}
	}
	return t
}

// has reports whether an event type has typed columns.
func (t *typed) has(typ []byte) bool {
	return len(t.places) > 0 && t.places[string(typ)] != nil
}

// sameFormat reports whether files with t and with other have the same columns.
func (t *typed) sameFormat(other *typed) bool {
	return slices.EqualFunc(t.columns, other.columns, func(a, b schema.Column) bool { return a.Name == b.Name && a.Kind == b.Kind })
}

// schema is that of a file: the fixed columns and then those of t.
func (t *typed) schema() *parquet.Schema {
	fields := reflect.VisibleFields(reflect.TypeFor[columns]())
	for i, c := range t.columns {
		field := fieldOf(c.Kind)
		field.Name = fmt.Sprintf("Typed%d", i)
		field.Tag = reflect.StructTag(fmt.Sprintf(`parquet:"%s,optional%s"`, c.Name, field.Tag))
		fields = append(fields, field)
	}
	return parquet.NewSchema("columns", parquet.SchemaOf(reflect.Zero(reflect.StructOf(fields)).Interface()))
}

// fieldOf has the Go type of a column and the end of its tag.
func fieldOf(kind schema.ColumnKind) reflect.StructField {
	switch kind {
	case schema.ColumnBoolean:
		return reflect.StructField{Type: reflect.TypeFor[*bool]()}
	case schema.ColumnInteger:
		return reflect.StructField{Type: reflect.TypeFor[*int64]()}
	case schema.ColumnNumber:
		return reflect.StructField{Type: reflect.TypeFor[*float64]()}
	case schema.ColumnTimestamp:
		return reflect.StructField{Type: reflect.TypeFor[*int64](), Tag: ",timestamp(microsecond:local)"}
	case schema.ColumnDate:
		return reflect.StructField{Type: reflect.TypeFor[*int32](), Tag: ",date"}
	case schema.ColumnText:
	}
	return reflect.StructField{Type: reflect.TypeFor[[]byte](), Tag: ",string,dict"}
}
