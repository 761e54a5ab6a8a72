package compile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// Version names the compiler and the engine whose bytes it was tested with. It is part of every plan's identity: raise
// it when the SQL of an unchanged spec changes, or with DuckDB.
const Version = "signalbox-sql-1+duckdb-1.5.5"

// Window is the event time that a dataset covers, [Start, End).
type Window struct {
	Start, End time.Time
}

// Inputs are local Parquet files of the archive, by source of the spec. A source without files is an empty table.
type Inputs map[string][]string

// Plan is a compiled spec. The engine runs Statements in order, then Checks, then writes Relation ordered by Order.
type Plan struct {
	Version    string   `json:"version"`
	Inputs     []string `json:"inputs"` // the only files that the statements may read
	Statements []string `json:"statements"`
	Checks     []Check  `json:"checks"`
	Relation   string   `json:"relation"`
	Order      string   `json:"order"` // a column of Relation that is unique; not part of the result
	Columns    []Column `json:"columns"`
	Label      string   `json:"label"`
}

// Check is a query that yields names and whole numbers.
type Check struct {
	Name string `json:"name"`
	SQL  string `json:"sql"`
}

// Names of checks.
const (
	CheckRows = "rows" // spine: rows of the window; labelled: with a label in time; label_null: whose label is null
	CheckCast = "cast" // source.field: values that do not have the declared type; source.(data): events without JSON
	CheckLead = "lead" // feature: µs by which it was known before the row's time, at worst; above 0 it leaks
)

// Column is a column of the result.
type Column struct {
	Name     string `json:"name"`
	Optional bool   `json:"optional"` // a feature: null where nothing matched
}

// Compile translates a spec for one window. Errors are those of Validate.
func Compile(d spec.Dataset, in Inputs, w Window) (Plan, error) {
	if err := Validate(d); err != nil {
		return Plan{}, err
	}
	if !w.Start.Before(w.End) {
		return Plan{}, fmt.Errorf("window %s to %s is empty: %w", w.Start.Format(time.RFC3339), w.End.Format(time.RFC3339), manifest.ErrInvalid)
	}
	c := compiler{d: d, in: in, w: w, reach: Reach(d, w)}
	p := Plan{Version: Version, Relation: "dataset", Order: rowColumn, Label: LabelColumn(d), Columns: columns(d)}
	for _, name := range sorted(c.reach) {
		p.Inputs = append(p.Inputs, in[name]...)
		p.Statements = append(p.Statements, c.source(name))
	}
	slices.Sort(p.Inputs)
	p.Inputs = slices.Compact(p.Inputs)
	p.Statements = append(p.Statements, c.spine())
	for i, f := range d.Features {
		p.Statements = append(p.Statements, c.feature(i, f))
	}
	p.Statements = append(p.Statements, c.label(*d.Label), c.dataset())
	p.Checks = c.checks()
	return p, nil
}

// rowColumn numbers the rows of the spine in the order of the result. No name of a user has a #.
const rowColumn = "#row"

type compiler struct {
	d     spec.Dataset
	in    Inputs
	w     Window
	reach map[string]Range
}

func columns(d spec.Dataset) []Column {
	out := []Column{{Name: EventTime}, {Name: EventID}}
	for _, name := range sorted(d.Spine.Select) {
		out = append(out, Column{Name: name})
	}
	for _, f := range d.Features {
		for _, name := range sorted(f.Select) {
			out = append(out, Column{Name: name, Optional: true})
		}
	}
	for _, name := range sorted(d.Label.Select) {
		out = append(out, Column{Name: name})
	}
	return out
}

// spine selects the rows and numbers them.
func (c *compiler) spine() string {
	s := c.d.Spine
	order := []string{EventTime}
	for _, k := range s.Key {
		order = append(order, quote(k))
	}
	order = append(order, EventID, `"#source"`)
	return fmt.Sprintf(`CREATE TEMP TABLE "spine" AS
SELECT row_number() OVER (ORDER BY %s) AS "#row", *
FROM (
  SELECT event_time, event_id, event_source AS "#source"%s
  FROM %s
  WHERE event_time >= %s AND event_time < %s%s
)`, strings.Join(order, ", "), selects(s.Select), sourceTable(s.From), instant(c.w.Start), instant(c.w.End), and(s.Where))
}

// dataset joins what the other statements made. It is a view, so that the result is sorted and written as it is read.
func (c *compiler) dataset() string {
	var b strings.Builder
	b.WriteString("CREATE TEMP VIEW \"dataset\" AS\nSELECT s.\"#row\"")
	for _, col := range columns(c.d) {
		b.WriteString(", " + quote(col.Name))
	}
	b.WriteString("\nFROM (SELECT * EXCLUDE (\"#source\") FROM \"spine\") s\nJOIN \"label\" USING (\"#row\")")
	for i := range c.d.Features {
		fmt.Fprintf(&b, "\nLEFT JOIN (SELECT * EXCLUDE (\"#lead\") FROM %s) USING (\"#row\")", featureTable(i))
	}
	fmt.Fprintf(&b, "\nWHERE %s IS NOT NULL", quote(LabelColumn(c.d)))
	return b.String()
}

func (c *compiler) checks() []Check {
	rows := `SELECT 'spine', count(*) FROM "spine"
UNION ALL SELECT 'labelled', count(*) FROM "label"
UNION ALL SELECT 'label_null', count(*) FROM "label" WHERE ` + quote(LabelColumn(c.d)) + " IS NULL"
	var casts, leads []string
	for _, name := range sorted(c.reach) {
		casts = append(casts, fmt.Sprintf("SELECT %s || field, count(*)\nFROM (SELECT unnest(string_split(\"#bad\", ',')) AS field FROM %s)\nGROUP BY field",
			literal(name+"."), sourceTable(name)))
	}
	for i, f := range c.d.Features {
		leads = append(leads, fmt.Sprintf("SELECT %s, max(\"#lead\") FROM %s HAVING count(*) > 0", literal(FeatureName(f)), featureTable(i)))
	}
	checks := []Check{{CheckRows, rows}, {CheckCast, strings.Join(casts, "\nUNION ALL ")}}
	if len(leads) > 0 {
		checks = append(checks, Check{CheckLead, strings.Join(leads, "\nUNION ALL ")})
	}
	return checks
}
