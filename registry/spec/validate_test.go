package spec

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// wantFault fails unless err has a fault at path, or is nil where path is "ok".
func wantFault(t *testing.T, err error, path string) {
	t.Helper()
	if path == "ok" {
		if err != nil {
			t.Errorf("%v, want no fault", err)
		}
		return
	}
	for _, f := range manifest.Faults(err) {
		if f.Path == path && errors.Is(err, ErrInvalid) {
			return
		}
	}
	t.Errorf("%v, want a fault at %s", err, path)
}

func TestStream(t *testing.T) {
	valid := func() Stream {
		return Stream{Types: map[string]StreamType{"com.example.a": {Schema: json.RawMessage(`{"type":"object"}`)}}}
	}
	for _, tc := range []struct {
		at     string
		change func(*Stream)
	}{
		{"ok", func(*Stream) {}},
		{"/types", func(s *Stream) { s.Types = nil }},
		{"/partitions", func(s *Stream) { s.Partitions = -1 }},
		{"/partitions", func(s *Stream) { s.Partitions = 1001 }},
		{"/types/dev.signalbox.run.started", func(s *Stream) { s.Types["dev.signalbox.run.started"] = s.Types["com.example.a"] }},
		{"/types/a b", func(s *Stream) { s.Types["a b"] = s.Types["com.example.a"] }},
		{"/types/", func(s *Stream) { s.Types[""] = s.Types["com.example.a"] }},
		{"/types/com.example.b/schema", func(s *Stream) { s.Types["com.example.b"] = StreamType{} }},
		{"/types/com.example.b/schema", func(s *Stream) { s.Types["com.example.b"] = StreamType{Schema: json.RawMessage(`[]`)} }},
	} {
		s := valid()
		tc.change(&s)
		wantFault(t, s.Validate(), tc.at)
	}
}

func TestWorkflow(t *testing.T) {
	valid := func() Workflow {
		return Workflow{Entrypoint: "delay:FlightDelay", Files: map[string]WorkflowFile{"delay.py": {Content: "x"}}}
	}
	for _, tc := range []struct {
		at     string
		change func(*Workflow)
	}{
		{"ok", func(*Workflow) {}},
		{"/entrypoint", func(w *Workflow) { w.Entrypoint = "delay" }},
		{"/entrypoint", func(w *Workflow) { w.Entrypoint = "delay:" }},
		{"/entrypoint", func(w *Workflow) { w.Entrypoint = "a.b:C" }},
		{"/entrypoint", func(w *Workflow) { w.Entrypoint = "other:FlightDelay" }},
		{"/files", func(w *Workflow) { w.Files = nil }},
		{"/files/..~1x.py", func(w *Workflow) { w.Files["../x.py"] = WorkflowFile{Content: "x"} }},
		{"/files/x.sh", func(w *Workflow) { w.Files["x.sh"] = WorkflowFile{Content: "x"} }},
		{"/files/x.py/content", func(w *Workflow) { w.Files["x.py"] = WorkflowFile{} }},
		{"/files/x.py/file", func(w *Workflow) { w.Files["x.py"] = WorkflowFile{File: "/etc/passwd", Content: "x"} }},
		{"/files", func(w *Workflow) { w.Files["x.py"] = WorkflowFile{Content: strings.Repeat("x", maxWorkflow)} }},
	} {
		w := valid()
		tc.change(&w)
		wantFault(t, w.Validate(), tc.at)
	}
	w := valid()
	if w.Class() != "FlightDelay" {
		t.Errorf("class = %s", w.Class())
	}
	// Before the client has read its files, they only have a name.
	w.Files["delay.py"] = WorkflowFile{File: "src/delay.py"}
	wantFault(t, w.validate(false), "ok")
	w.Files["delay.py"] = WorkflowFile{}
	wantFault(t, w.validate(false), "/files/delay.py")
}

func TestModel(t *testing.T) {
	valid := func() Model {
		return Model{
			Owner: "ops", Project: "demo", Dataset: "flights",
			Train:      json.RawMessage(`{"workflow_name":"w","classifier_features":["a","b"],"label":"y","custom_params":{},"extra":1}`),
			Evaluation: Evaluation{Tag: "production", Metric: MetricAUC, Baseline: "a", Slices: []string{"b"}},
		}
	}
	for _, tc := range []struct {
		at     string
		change func(*Model)
	}{
		{"ok", func(*Model) {}},
		{"ok", func(m *Model) { m.Dataset, m.Evaluation.Baseline, m.Evaluation.Metric = "", "", MetricBrier }},
		{"/owner", func(m *Model) { m.Owner = "" }},
		{"/project", func(m *Model) { m.Project = "" }},
		{"/dataset", func(m *Model) { m.Dataset = "A" }},
		{"/data", func(m *Model) { m.Data = json.RawMessage(`"x"`) }},
		{"/train", func(m *Model) { m.Train = nil }},
		{"/train", func(m *Model) { m.Train = json.RawMessage(`{"label":7}`) }},
		{"/train/workflow_name", func(m *Model) { m.Train = json.RawMessage(`{"classifier_features":["a"],"label":"y"}`) }},
		{"/train/classifier_features", func(m *Model) { m.Train = json.RawMessage(`{"workflow_name":"w","label":"y"}`) }},
		{"/train/classifier_features/1", func(m *Model) {
			m.Train = json.RawMessage(`{"workflow_name":"w","label":"y","classifier_features":["a","a"]}`)
		}},
		{"/train/classifier_features/0", func(m *Model) {
			m.Train = json.RawMessage(`{"workflow_name":"w","label":"y","classifier_features":["y"]}`)
		}},
		{"/train/label", func(m *Model) { m.Train = json.RawMessage(`{"workflow_name":"w","classifier_features":["a"]}`) }},
		{"/evaluation/tag", func(m *Model) { m.Evaluation.Tag = "" }},
		{"/evaluation/metric", func(m *Model) { m.Evaluation.Metric = MetricAccuracy }},
		{"/evaluation/minRows", func(m *Model) { m.Evaluation.MinRows = -1 }},
		{"/evaluation/minGain", func(m *Model) { m.Evaluation.MinGain = -0.1 }},
		{"/evaluation/baseline", func(m *Model) { m.Evaluation.Baseline = "y" }},
		{"/evaluation/slices/1", func(m *Model) { m.Evaluation.Slices = []string{"a", "z"} }},
	} {
		m := valid()
		tc.change(&m)
		wantFault(t, m.Validate(), tc.at)
	}
}

func TestDataset(t *testing.T) {
	valid := func() Dataset {
		return Dataset{
			Window: Window{Start: time.Unix(0, 0), Every: Duration(time.Hour)},
			Sources: map[string]Source{
				"departed": {Stream: "flights", Type: "departed", Fields: map[string]string{"id": "string", "origin": "string"}},
				"arrived":  {Stream: "flights", Type: "arrived", Fields: map[string]string{"id": "string", "late": "boolean"}},
			},
			Spine: Spine{From: "departed", Select: map[string]string{"id": "id", "origin": "upper(origin)"}, Key: []string{"id"}},
			Features: []Join{{From: "arrived", Match: map[string]string{"subject": "origin"}, Select: map[string]string{"last": "late"},
				MaxAge: Duration(time.Hour)}},
			Label: &Join{From: "arrived", Match: map[string]string{"id": "id"}, Select: map[string]string{"late": "late"},
				Maturity: Duration(time.Hour)},
		}
	}
	for _, tc := range []struct {
		at     string
		change func(*Dataset)
	}{
		{"ok", func(*Dataset) {}},
		{"ok", func(d *Dataset) { d.Available, d.Label.Match = AvailableRecorded, map[string]string{"id": "event_id"} }},
		{"/window/start", func(d *Dataset) { d.Window.Start = time.Time{} }},
		{"/window/every", func(d *Dataset) { d.Window.Every = 0 }},
		{"/available", func(d *Dataset) { d.Available = "now" }},
		{"/sources", func(d *Dataset) { d.Sources = nil }},
		{"/sources/a-b", func(d *Dataset) { d.Sources["a-b"] = d.Sources["arrived"] }},
		{"/sources/x/stream", func(d *Dataset) { d.Sources["x"] = Source{Type: "t"} }},
		{"/sources/x/type", func(d *Dataset) { d.Sources["x"] = Source{Stream: "s", Type: "a/../b"} }},
		{"/sources/x/fields/f", func(d *Dataset) {
			d.Sources["x"] = Source{Stream: "s", Type: "t", Fields: map[string]string{"f": "float"}}
		}},
		{"/sources/x/fields/event_time", func(d *Dataset) {
			d.Sources["x"] = Source{Stream: "s", Type: "t", Fields: map[string]string{"event_time": "timestamp"}}
		}},
		{`/sources/x/fields/a"`, func(d *Dataset) {
			d.Sources["x"] = Source{Stream: "s", Type: "t", Fields: map[string]string{`a"`: "string"}}
		}},
		{"/spine/from", func(d *Dataset) { d.Spine.From = "nowhere" }},
		{"/spine/select", func(d *Dataset) { d.Spine.Select = nil }},
		{"/spine/select/id", func(d *Dataset) { d.Spine.Select["id"] = "" }},
		{"/spine/key/0", func(d *Dataset) { d.Spine.Key[0] = "carrier" }},
		{"/features/0/from", func(d *Dataset) { d.Features[0].From = "nowhere" }},
		{"/features/0/match", func(d *Dataset) { d.Features[0].Match = nil }},
		{"/features/0/match/carrier", func(d *Dataset) { d.Features[0].Match = map[string]string{"carrier": "id"} }},
		{"/features/0/match/id", func(d *Dataset) { d.Features[0].Match = map[string]string{"id": "carrier"} }},
		{"/features/0/maturity", func(d *Dataset) { d.Features[0].Maturity = 1 }},
		{"/features/1/name", func(d *Dataset) { d.Features = append(d.Features, d.Features[0]) }},
		{"/label", func(d *Dataset) { d.Label = nil }},
		{"/label/select", func(d *Dataset) { d.Label.Select = nil }},
		{"/label/maxAge", func(d *Dataset) { d.Label.MaxAge = 1 }},
	} {
		d := valid()
		tc.change(&d)
		wantFault(t, d.Validate(), tc.at)
	}
}

func TestDuration(t *testing.T) {
	for in, want := range map[string]string{"28d": "28d", "24h": "1d", "90m": "1h30m0s", "0s": "0s", "36h": "36h0m0s"} {
		var d Duration
		if err := d.UnmarshalText([]byte(in)); err != nil || d.String() != want {
			t.Errorf("%s = %s, %v, want %s", in, d, err, want)
		}
	}
	for _, in := range []string{"", "1", "-1h", "-2d", "1.5d", "d", "999999d", "1w"} {
		var d Duration
		if err := d.UnmarshalText([]byte(in)); err == nil {
			t.Errorf("%q = %s", in, d)
		}
	}
}
