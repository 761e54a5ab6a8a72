package compile

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// Columns that every source has. A feature's and a label's expressions see SpineTime beside them.
const (
	EventID       = "event_id"
	EventSource   = "event_source"
	Subject       = "subject"
	EventTime     = "event_time"
	AvailableTime = "available_time"
	SpineTime     = "spine_time" // the event time of the row that is being filled
)

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)

// Validate returns every fault of a spec that shows without data: those of spec.Dataset.Validate, and those that only
// SQL has. Each is a *manifest.Fault with the member's path.
func Validate(d spec.Dataset) error {
	if err := d.Validate(); err != nil {
		return err // what follows relies on the references
	}
	c := checker{columns: map[string]string{EventTime: "", EventID: ""}}
	c.ok(d.Window.Every.D() >= time.Minute, "/window/every", "want at least 1m")
	for _, name := range sorted(d.Sources) {
		c.fields("/sources/"+name+"/fields", d.Sources[name].Fields)
	}
	c.selects("/spine", d.Spine.Select, d.Spine.Where)
	for i, f := range d.Features {
		c.selects(fmt.Sprint("/features/", i), f.Select, f.Where)
	}
	c.selects("/label", d.Label.Select, d.Label.Where)
	c.ok(d.Label.Maturity.D() > 0, "/label/maturity", "say how long a label may take to arrive, such as 1d")
	c.ok(LabelColumn(d) != "", "/label/name", "say which of the columns %s models learn", strings.Join(sorted(d.Label.Select), ", "))
	return errors.Join(c.faults...)
}

// FeatureName is the name of a feature in checks: its own, or its source's.
func FeatureName(f spec.Join) string { return cmp.Or(f.Name, f.From) }

// LabelColumn is the column that models learn: the one that the label is named after, or its only one. It is "" where
// that is open.
func LabelColumn(d spec.Dataset) string {
	if _, ok := d.Label.Select[d.Label.Name]; ok {
		return d.Label.Name
	}
	if columns := sorted(d.Label.Select); len(columns) == 1 {
		return columns[0]
	}
	return ""
}

// checker collects faults. SQL ignores the case of names, so names are compared without it.
type checker struct {
	columns map[string]string // of the result, lower case: where each is from
	faults  []error
}

func (c *checker) ok(holds bool, path, format string, args ...any) {
	if !holds {
		c.faults = append(c.faults, &manifest.Fault{Path: path, Problem: fmt.Sprintf(format, args...)})
	}
}

func (c *checker) fields(path string, fields map[string]string) {
	taken := map[string]bool{EventID: true, EventSource: true, Subject: true, EventTime: true, AvailableTime: true, SpineTime: true}
	for _, f := range sorted(fields) {
		c.ok(!taken[strings.ToLower(f)], path+"/"+f, "the name is taken: every source has %s, and case does not count",
			strings.Join(sorted(taken), ", "))
		taken[strings.ToLower(f)] = true
	}
}

func (c *checker) selects(path string, columns map[string]string, where string) {
	for _, name := range sorted(columns) {
		at := path + "/select/" + name
		first, taken := c.columns[strings.ToLower(name)]
		c.ok(!taken, at, "the column is there already: %s, and case does not count", cmp.Or(first, "every dataset has it"))
		c.columns[strings.ToLower(name)] = at
		c.expression(at, columns[name])
	}
	if where != "" {
		c.expression(path+"/where", where)
	}
}

func (c *checker) expression(path, sql string) {
	if err := CheckExpression(sql); err != nil {
		c.ok(false, path, "%v", err)
	}
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
