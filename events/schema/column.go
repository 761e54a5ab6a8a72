package schema

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// column is the annotation that makes a column of a member.
const column = "x-signalbox-column"

// Column is a member of the top level that the archive's files have as a column of their own, beside the whole data.
type Column struct {
	Name     string // of the column
	Property string // of the data
	Kind     ColumnKind
}

// ColumnKind is what a column holds.
type ColumnKind uint8

// The kinds of columns, and what the schema of their members says.
const (
	ColumnBoolean   ColumnKind = iota + 1 // boolean
	ColumnInteger                         // integer; 64 bits, with a sign
	ColumnNumber                          // number; floating-point, 64 bits
	ColumnText                            // string
	ColumnTimestamp                       // string of the format date-time; microseconds, UTC
	ColumnDate                            // string of the format date
)

var kindNames = [...]string{ColumnBoolean: "boolean", ColumnInteger: "integer", ColumnNumber: "number", ColumnText: "text",
	ColumnTimestamp: "timestamp", ColumnDate: "date"}

// String returns the name of a kind: boolean, integer, number, text, timestamp or date; "" for none of them.
func (k ColumnKind) String() string {
	if int(k) >= len(kindNames) {
		return ""
	}
	return kindNames[k]
}

// Columns returns what x-signalbox-column asks for, in the order of the columns' names.
func (s *Schema) Columns() []Column {
	var out []Column
	for _, p := range s.root.Properties {
		if p.Column != "" {
			out = append(out, Column{Name: p.Column, Property: p.Name, Kind: kindOf(p.Node)})
		}
	}
	slices.SortFunc(out, func(a, b Column) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// kindOf returns 0 where a column cannot hold what a member may be.
func kindOf(n *Node) ColumnKind {
	if n == nil {
		return 0
	}
	switch n.Types &^ Null {
	case Boolean:
		return ColumnBoolean
	case Integer:
		return ColumnInteger
	case Number:
		return ColumnNumber
	case String:
		switch n.Format {
		case "date-time":
			return ColumnTimestamp
		case "date":
			return ColumnDate
		}
		return ColumnText
	}
	return 0
}

// maxColumns bounds what every file of the archive has to carry.
const maxColumns = 100

// columnName is what a column may be called: in lower case, because not every engine tells the case of letters apart.
var columnName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// taken are the names that the archive's files have already, or may have later: single ones, and beginnings that end in
// an underscore. topic, type, date and hour are directories of the archive, which engines show as columns.
var taken = []string{"kafka_", "ce_", "data", "data_", "value", "header", "header_", "headers", "traceparent", "tracestate",
	"signalbox_", "topic", "type", "date", "hour"}

func isTaken(name string) bool {
	return slices.ContainsFunc(taken, func(t string) bool {
		return name == t || strings.HasSuffix(t, "_") && strings.HasPrefix(name, t)
	})
}

// column returns the name of the column that a member asks for.
func (b *builder) column(doc document, p Property, path string) string {
	name := doc.text
	switch {
	case doc.typ == Boolean && name == "false":
		return ""
	case doc.typ == Boolean:
		name = p.Name
	case doc.typ != String:
		b.fault(path, "want true, false or the name of the column")
		return ""
	}
	switch {
	case !columnName.MatchString(name):
		b.fault(path, "%q is no name of a column: write one of lower-case letters, digits and underscores, such as \"unit_price\"", clip(name))
	case isTaken(name):
		b.fault(path, "%q is a name that the archive keeps for itself: write another one, such as \"my_%s\"", name, name)
	case slices.Contains(b.columns, name):
		b.fault(path, "another member has the column %q: name them apart", name)
	case len(b.columns) == maxColumns:
		b.fault(path, "there are more than %d columns: ask for those that queries filter by", maxColumns)
	}
	if kindOf(p.Node) == 0 {
		b.fault(path, "a column has one type: boolean, integer, number or string, perhaps with null")
	}
	b.columns = append(b.columns, name)
	return name
}
