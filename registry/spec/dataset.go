package spec

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/name"
)

// Dataset declares a training set: one row per spine event, what was known at its time, and the label that matured.
type Dataset struct {
	Window Window `json:"window"`
	// Available is the clock that says when a row could be known: "recordedtime" (the CloudEvents extension, append
	// time where an event has none) or "append" (the default).
	Available string            `json:"available,omitempty"`
	Sources   map[string]Source `json:"sources"`
	Spine     Spine             `json:"spine"`
	Features  []Join            `json:"features,omitempty"`
	Label     *Join             `json:"label"`
}

// Window says over which event time a dataset is built, and when. Dataset k covers [Start, Start + k*Every) and is due
// once the archive's watermark has passed its end by the label's maturity and by Lateness.
type Window struct {
	Start    time.Time `json:"start"`
	Every    Duration  `json:"every"`
	Length   Duration  `json:"length,omitempty"` // rolling: at most this much before the end; 0 grows for ever
	Lateness Duration  `json:"lateness,omitempty"`
}

// Source is one event type of a stream, as a table.
type Source struct {
	Stream string `json:"stream"`
	Type   string `json:"type"`
	// Fields are members of the event's data by name: string, integer, number, boolean or timestamp. Every source also
	// has event_id, event_source, subject, event_time and available_time.
	Fields map[string]string `json:"fields"`
}

// Spine gives the rows. Select maps a column to an SQL expression over the source's fields.
type Spine struct {
	From   string            `json:"from"`
	Select map[string]string `json:"select"`
	Where  string            `json:"where,omitempty"`
	// Key are columns of Select that identify a row, for matching and for order; the event id is always the last.
	Key []string `json:"key,omitempty"`
}

// Join brings columns of another source to the rows of the spine. A feature takes the newest row whose event time and
// availability both are at or before the spine's event time, and no older than MaxAge. A label takes the first row at
// or after it, within Maturity.
type Join struct {
	Name string `json:"name,omitempty"`
	From string `json:"from"`
	// Match maps a field of From to a column of the spine's Select.
	Match    map[string]string `json:"match"`
	Select   map[string]string `json:"select"` // column: SQL expression over the fields of From, and spine_time
	Where    string            `json:"where,omitempty"`
	MaxAge   Duration          `json:"maxAge,omitempty"`   // features; 0: no limit
	Maturity Duration          `json:"maturity,omitempty"` // the label
}

// Clocks of Dataset.Available.
const (
	AvailableRecorded = "recordedtime"
	AvailableAppend   = "append"
)

var (
	fieldTypes = []string{"string", "integer", "number", "boolean", "timestamp"}
	// Every source has these beside its fields.
	builtin    = []string{"event_id", "event_source", "subject", "event_time", "available_time"}
	identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)
)

// Validate lists everything that is wrong with d as far as its references go. Whether its SQL compiles is for the
// generator to say.
func (d Dataset) Validate() error {
	var fs manifest.FaultList
	fs.Check(!d.Window.Start.IsZero(), "/window/start", "give the time of the first event")
	fs.Check(d.Window.Every > 0, "/window/every", "say how often a dataset is due, such as 1d")
	fs.Check(slices.Contains([]string{"", AvailableRecorded, AvailableAppend}, d.Available), "/available",
		"want %s or %s", AvailableRecorded, AvailableAppend)
	fs.Check(len(d.Sources) > 0, "/sources", "name at least one")
	for _, source := range sorted(d.Sources) {
		d.Sources[source].validate(&fs, source)
	}
	_, ok := d.Sources[d.Spine.From]
	fs.Check(ok, "/spine/from", "%.100q is none of the sources", d.Spine.From)
	checkSelect(&fs, "/spine", d.Spine.Select)
	for i, k := range d.Spine.Key {
		_, ok := d.Spine.Select[k]
		fs.Check(ok, "/spine/key/"+strconv.Itoa(i), "%.100q is no column of the spine's select", k)
	}
	names := map[string]bool{}
	for i, f := range d.Features {
		path := "/features/" + strconv.Itoa(i)
		d.join(&fs, path, f)
		fs.Check(f.Maturity == 0, path+"/maturity", "only the label has one")
		fs.Check(!names[cmp.Or(f.Name, f.From)], path+"/name", "is taken: give each feature of one source its own")
		names[cmp.Or(f.Name, f.From)] = true
	}
	if d.Label == nil {
		fs.Add("/label", "is missing: say what there is to learn")
		return fs.Join()
	}
	d.join(&fs, "/label", *d.Label)
	fs.Check(d.Label.MaxAge == 0, "/label/maxAge", "only features have one")
	return fs.Join()
}

func (s Source) validate(fs *manifest.FaultList, source string) {
	path := at("/sources", source)
	fs.Check(identifier.MatchString(source), path, "want a name of letters, digits and underscores")
	fs.Err(path+"/stream", name.Check(s.Stream))
	checkType(fs, path+"/type", s.Type)
	for _, f := range sorted(s.Fields) {
		path := at(path+"/fields", f)
		fs.Check(identifier.MatchString(f), path, "want a name of letters, digits and underscores")
		fs.Check(!slices.Contains(builtin, f), path, "every source has it already")
		fs.Check(slices.Contains(fieldTypes, s.Fields[f]), path, "type %.100q: want string, integer, number, boolean or timestamp",
			s.Fields[f])
	}
}

// join checks what a feature or label refers to.
func (d Dataset) join(fs *manifest.FaultList, path string, j Join) {
	s, ok := d.Sources[j.From]
	fs.Check(ok, path+"/from", "%.100q is none of the sources", j.From)
	checkSelect(fs, path, j.Select)
	fs.Check(len(j.Match) > 0, path+"/match", "say which field equals which column of the spine")
	for _, field := range sorted(j.Match) {
		_, known := s.Fields[field]
		fs.Check(!ok || known || slices.Contains(builtin, field), at(path+"/match", field), "is no field of the source %s", j.From)
		_, known = d.Spine.Select[j.Match[field]]
		fs.Check(known || j.Match[field] == "event_id", at(path+"/match", field), "%.100q is no column of the spine's select", j.Match[field])
	}
}

func checkSelect(fs *manifest.FaultList, path string, columns map[string]string) {
	fs.Check(len(columns) > 0, path+"/select", "name at least one column")
	for _, c := range sorted(columns) {
		fs.Check(identifier.MatchString(c), at(path+"/select", c), "want a name of letters, digits and underscores")
		fs.Check(columns[c] != "", at(path+"/select", c), "want an SQL expression over the source's fields")
	}
}
