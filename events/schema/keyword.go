package schema

import (
	"iter"
	"maps"
	"net/url"
	"strings"
)

// dialect is the only $schema there is.
const dialect = "https://json-schema.org/draft/2020-12/schema"

// annotation reports whether a keyword says nothing about the data.
func annotation(name string, where place) bool {
	switch name {
	case "$comment", "title", "description", "examples", "default", "deprecated", "readOnly", "writeOnly":
		return true
	case "$schema", "$id", "$defs":
		return where == top
	case column:
		return where == member
	}
	return false
}

// advice says what to write in the place of a keyword that is not in the subset.
func advice(name string) string {
	switch name {
	case "oneOf", "anyOf", "allOf", "not", "if", "then", "else", "dependentSchemas", "dependentRequired", "dependencies":
		return "give each case an event type of its own"
	case "$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveRef", "$recursiveAnchor", "$vocabulary":
		return "use $ref with \"#/$defs/<name>\""
	case "definitions":
		return "call it $defs"
	case "patternProperties", "propertyNames":
		return "name the members in properties, or give all others one schema with additionalProperties"
	case "unevaluatedProperties":
		return "use additionalProperties"
	case "prefixItems", "additionalItems", "unevaluatedItems", "contains", "minContains", "maxContains":
		return "use items for all elements, or an object with a named member for each place"
	case "uniqueItems":
		return "consumers have to expect repeats: leave it out"
	case "contentEncoding", "contentMediaType", "contentSchema":
		return "say it in description"
	case "$schema", "$id", "$defs":
		return "it stands at the top of a schema only"
	case column:
		return "it is for members of the top level only"
	}
	return "it is no keyword of the subset: correct it or leave it out"
}

// annotate checks an annotation as far as it matters.
func (b *builder) annotate(e entry, path string) {
	switch e.name {
	case "$schema":
		if e.value.typ != String || e.value.text != dialect {
			b.fault(path, "want %q", dialect)
		}
	case "$id":
		if _, err := url.Parse(e.value.text); e.value.typ != String || err != nil || strings.Contains(e.value.text, "#") {
			b.fault(path, "want a URI without a fragment")
		}
	case "$comment", "title", "description":
		if e.value.typ != String {
			b.fault(path, "want a text")
		}
	case "examples":
		if e.value.typ != Array {
			b.fault(path, "want a list")
		}
	case "deprecated", "readOnly", "writeOnly":
		if e.value.typ != Boolean {
			b.fault(path, "want true or false")
		}
	case "$defs":
		if e.value.typ != Object {
			b.fault(path, "want an object with a schema for each name")
		}
	}
}

func keys[V any](m map[string]V) iter.Seq[string] { return maps.Keys(m) }
