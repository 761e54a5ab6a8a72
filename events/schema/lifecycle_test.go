package schema_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/schema"
	"github.com/signalbox-ml/signalbox/schemas"
)

// examples has one event of each type with every member set.
func examples() map[string]any {
	const (
		digest = "sha256.FDK2WAU4ULUV7ERWP3BMSVGPBGWG2GPUTUZXHOZRVSNCA4LPGVRA"
		run    = "9081e64f-b2c0-455e-bcaa-c1c211fa124b"
	)
	at := time.Date(2026, 11, 1, 9, 0, 0, 123456000, time.UTC)
	figures := map[string]map[string]float64{"candidate": {"auc": 0.75}, "champion": {"auc": 0.5}}
	arms := []events.Arm{{Package: digest, Weight: 10000}}
	changed := events.RunChanged{
		RunID: run, RunKey: digest, Model: "delay", Dataset: digest, Attempt: 2, State: "failed", Reason: "OutOfMemory", Package: digest,
		Exception: &events.Exception{Type: "MemoryError", Message: "no memory", Step: "train", Retryable: true},
	}
	sweep := events.SweepChanged{SweepID: run, Model: "delay", Dataset: digest, State: "complete", Reason: "20 trials", Best: run, Package: digest}
	return map[string]any{
		events.TypeArchiveSealed: events.ArchiveSealed{
			Stream: "flights", Topic: "events.flights", TopicID: "00112233445566778899aabbccddeeff", Partition: 1, Start: 3, End: 9, Records: 5,
			Files: []events.SealedFile{{Key: "archive/v1/a.parquet", SHA256: digest, Type: "flight.departed", Rows: 5, Bytes: 900, Start: 3, End: 9}},
			Seq:   7, ArchivedThrough: at, Previous: digest,
		},
		events.TypeAuditRecorded: events.AuditRecorded{
			Actor: "kelley", Action: "tags.promote", Object: "delay/production", Before: json.RawMessage(`{"generation":1}`),
			After: json.RawMessage(`{"generation":2}`), Decision: "allowed", RequestID: "r1",
		},
		events.TypeDatasetReady: events.DatasetReady{
			Name: "departures", Dataset: digest, Manifest: "blobs/x", Rows: 10, Start: at, End: at, Watermark: at, SpecDigest: digest, Generator: "signalbox/1",
		},
		events.TypeEvaluationCompleted: events.EvaluationCompleted{
			Evaluation: digest, Package: digest, Model: "delay", RunID: run, Tag: "delay/production", Champion: digest, Generation: 1, Metrics: figures,
			Slices: []events.Slice{{Column: "origin", Value: "JFK", Rows: 3, Metrics: figures}}, Decision: "promote", Reasons: []string{"auc"},
		},
		events.TypePackagePublished: events.PackagePublished{Package: digest, Model: "delay", RunID: run, Dataset: digest, Format: "lightgbm-text", Size: 9},
		events.TypePredictionMade: events.PredictionMade{
			PredictionID: "p1", Model: "delay", Tag: "delay/production", Generation: 3, Package: digest, Inputs: json.RawMessage(`{"a":1}`),
			Output: json.RawMessage(`{"p":0.5}`), LatencyUS: 40, Key: "k",
		},
		events.TypeRunRequested: changed, events.TypeRunStarted: changed, events.TypeRunSucceeded: changed, events.TypeRunFailed: changed,
		events.TypeRunCancelled: changed,
		events.TypeSweepStarted: sweep, events.TypeSweepEnded: sweep,
		events.TypeTagMoved: events.TagMoved{
			Tag: "delay/production", Generation: 2, Previous: arms, Next: arms, Actor: "kelley", Reason: "better", Evidence: digest,
		},
	}
}

// schemaOf reads the newest schema of a type.
func schemaOf(t *testing.T, typ string) []byte {
	t.Helper()
	b, err := fs.ReadFile(schemas.Events, typ+"/1/0.json")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Every lifecycle type has a schema and an example here, and nothing else has.
func TestEveryTypeHasASchema(t *testing.T) {
	dirs, err := fs.ReadDir(schemas.Events, ".")
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, d := range dirs {
		have = append(have, d.Name())
	}
	declared := declaredTypes(t)
	if !slices.Equal(have, declared) {
		t.Errorf("schemas of %q\ntypes   %q", have, declared)
	}
	if of := slices.Sorted(maps.Keys(examples())); !slices.Equal(of, declared) {
		t.Errorf("examples of %q\ntypes       %q", of, declared)
	}
	for _, typ := range have {
		if _, ok := events.TopicOf(typ); !ok {
			t.Errorf("%s has no topic", typ)
		}
	}
}

// declaredTypes reads the constants Type... of package events from its source.
func declaredTypes(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	var out []string
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || !strings.HasPrefix(spec.Names[0].Name, "Type") || len(spec.Values) == 0 {
				return true
			}
			if lit, ok := spec.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if s, err := strconv.Unquote(lit.Value); err == nil && events.IsLifecycle(s) {
					out = append(out, s)
				}
			}
			return true
		})
	}
	slices.Sort(out)
	return out
}

func TestEventsFitTheirSchemas(t *testing.T) {
	for typ, example := range examples() {
		t.Run(typ, func(t *testing.T) {
			raw := schemaOf(t, typ)
			var n node
			if err := json.Unmarshal(raw, &n); err != nil {
				t.Fatal(err)
			}
			if n.Title != typ {
				t.Errorf("title %q", n.Title)
			}
			agree(t, "", reflect.TypeOf(example), n)
			whole(t, "", reflect.ValueOf(example))

			s, err := schema.Compile(raw)
			if err != nil {
				t.Fatal(err)
			}
			full := object(t, example)
			if err := s.Check(encode(t, full)); err != nil {
				t.Errorf("the full example: %v", err)
			}
			for name := range full {
				less := maps.Clone(full)
				delete(less, name)
				if err := s.Check(encode(t, less)); (err != nil) != slices.Contains(n.Required, name) {
					t.Errorf("without %s: %v", name, err)
				}
			}
		})
	}
}

// node is the part of a JSON Schema that the schemas of events use.
type node struct {
	Title      string          `json:"title"`
	Type       types           `json:"type"`
	Format     string          `json:"format"`
	Properties map[string]node `json:"properties"`
	Required   []string        `json:"required"`
	Items      *node           `json:"items"`
	Additional *node           `json:"additionalProperties"`
	Enum       []string        `json:"enum"`
}

// types is one type or a list of them.
type types []string

// UnmarshalJSON reads both forms.
func (ts *types) UnmarshalJSON(b []byte) error {
	if b[0] == '[' {
		return json.Unmarshal(b, (*[]string)(ts))
	}
	*ts = types{""}
	return json.Unmarshal(b, &(*ts)[0])
}

// agree fails unless Go writes of typ exactly what n describes: the members, their types, and which may be left out.
func agree(t *testing.T, at string, typ reflect.Type, n node) {
	t.Helper()
	if typ == reflect.TypeFor[json.RawMessage]() {
		return // whatever its schema says
	}
	want := ""
	switch {
	case typ == reflect.TypeFor[time.Time]():
		if want = "string"; n.Format != "date-time" {
			t.Errorf("%s: a time, the schema's format is %q", at, n.Format)
		}
	case typ.Kind() == reflect.Pointer:
		agree(t, at, typ.Elem(), n)
		return
	case typ.Kind() == reflect.Struct:
		want = "object"
		members(t, at, typ, n)
	case typ.Kind() == reflect.Slice:
		if want = "array"; n.Items == nil {
			t.Errorf("%s: the schema has no items", at)
			return
		}
		agree(t, at+"/items", typ.Elem(), *n.Items)
	case typ.Kind() == reflect.Map:
		if want = "object"; n.Additional == nil {
			t.Errorf("%s: the schema has no additionalProperties", at)
			return
		}
		agree(t, at+"/*", typ.Elem(), *n.Additional)
	case typ.Kind() == reflect.String:
		if want = "string"; n.Enum != nil {
			return
		}
	case typ.Kind() == reflect.Bool:
		want = "boolean"
	case typ.Kind() == reflect.Float64:
		want = "number"
	case typ.Kind() == reflect.Int, typ.Kind() == reflect.Int32, typ.Kind() == reflect.Int64:
		want = "integer"
	default:
		t.Fatalf("%s: no schema for %s", at, typ)
	}
	if !slices.Contains(n.Type, want) {
		t.Errorf("%s: Go writes %s, the schema says %q", at, want, n.Type)
	}
}

func members(t *testing.T, at string, typ reflect.Type, n node) {
	t.Helper()
	var names, required []string
	for f := range fields(typ) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			t.Errorf("%s/%s: no name in JSON", at, f.Name)
			continue
		}
		names = append(names, name)
		if !strings.Contains(options, "omit") {
			required = append(required, name)
		}
		if p, ok := n.Properties[name]; ok {
			agree(t, at+"/"+name, f.Type, p)
		}
	}
	slices.Sort(names)
	slices.Sort(required)
	if have := slices.Sorted(maps.Keys(n.Properties)); !slices.Equal(names, have) {
		t.Errorf("%s: members %q, the schema has %q", at, names, have)
	}
	if have := slices.Sorted(slices.Values(n.Required)); !slices.Equal(required, have) {
		t.Errorf("%s: always written %q, the schema requires %q", at, required, have)
	}
}

func fields(typ reflect.Type) func(yield func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range typ.NumField() {
			if !yield(typ.Field(i)) {
				return
			}
		}
	}
}

// whole fails where an example leaves a member out.
func whole(t *testing.T, at string, v reflect.Value) {
	t.Helper()
	if v.IsZero() {
		t.Errorf("the example has no %s", at)
		return
	}
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
	case v.Kind() == reflect.Pointer:
		whole(t, at, v.Elem())
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			whole(t, at+"/"+v.Type().Field(i).Name, v.Field(i))
		}
	case v.Kind() == reflect.Slice && v.Type() != reflect.TypeFor[json.RawMessage]():
		for i := range v.Len() {
			whole(t, at+"/"+strconv.Itoa(i), v.Index(i))
		}
	}
}

func object(t *testing.T, v any) map[string]json.RawMessage {
	t.Helper()
	out := map[string]json.RawMessage{}
	if err := json.Unmarshal(encode(t, v), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
