package spec

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

const flights = `# The stream that everything starts from.
apiVersion: signalbox.dev/v1
kind: Stream
metadata: {name: flights}
spec:
  partitions: 2
  types:
    com.example.flight.departed:
      description: A flight left the gate
      schema: {type: object, required: [id], properties: {id: {type: string}, delay: {type: number, minimum: -1.5}}}
---
---
apiVersion: signalbox.dev/v1
kind: Workflow
metadata:
  name: flight-delay
spec:
  entrypoint: delay:FlightDelay
  files:
    delay.py:
      content: |
        class FlightDelay: pass
---
apiVersion: signalbox.dev/v1
kind: Model
metadata: {name: flight-delay}
spec:
  owner: ops
  project: demo
  dataset: flights
  train: {workflow_name: FlightDelay, classifier_features: [delay], label: late, custom_params: {max_depth: 6, eta: 1e-2}}
  evaluation: {tag: production, metric: auc, minGain: 0.01, baseline: delay}
---
apiVersion: signalbox.dev/v1
kind: Dataset
metadata: {name: flights}
spec:
  window: {start: 2026-01-01T00:00:00Z, every: 1d, lateness: 90m}
  sources:
    departed: {stream: flights, type: com.example.flight.departed, fields: {id: string, delay: number}}
    arrived: {stream: flights, type: com.example.flight.arrived, fields: {id: string, late: boolean}}
  spine: {from: departed, select: {id: id, delay: delay}, key: [id]}
  label: {from: arrived, match: {id: id}, select: {late: late}, maturity: 12h}
`

func TestParse(t *testing.T) {
	docs, err := Parse([]byte(flights))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range docs {
		got = append(got, d.Kind+" "+d.Metadata.Name)
		if _, err := Check(d); err != nil {
			t.Errorf("Check(%s): %v", got, err)
		}
	}
	if s := strings.Join(got, ", "); s != "Stream flights, Workflow flight-delay, Model flight-delay, Dataset flights" {
		t.Fatalf("documents = %s", s)
	}
	v, err := Decode(docs[3])
	d, ok := v.(*Dataset)
	if err != nil || !ok {
		t.Fatalf("Decode = %T, %v", v, err)
	}
	if d.Window.Start.Year() != 2026 || d.Window.Every.String() != "1d" || d.Label.Select["late"] != "late" {
		t.Errorf("dataset = %+v", d)
	}
	m, err := Read[Model](docs[2].Spec)
	if err != nil || m.Evaluation.MinGain != 0.01 || m.Dataset != "flights" {
		t.Errorf("model = %+v, %v", m, err)
	}
}

// JSON is YAML, so what one client sends as JSON is the same object as what another sends as YAML.
func TestCanonicalIgnoresSpelling(t *testing.T) {
	one, err := Parse([]byte(flights))
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.MarshalIndent(one[2], "", "    ")
	if err != nil {
		t.Fatal(err)
	}
	two, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	body1, d1, err1 := Canonical(one[2])
	body2, d2, err2 := Canonical(two[0])
	if err1 != nil || err2 != nil || d1 != d2 || string(body1) != string(body2) {
		t.Errorf("YAML gives %s, JSON gives %s (%v, %v)", body1, body2, err1, err2)
	}
	if !strings.HasPrefix(string(body1), `{"dataset":"flights","evaluation":{"baseline":"delay",`) {
		t.Errorf("body is not canonical: %s", body1)
	}
	// Every float reaches JSON as the number that was written.
	if !strings.Contains(string(body1), `"eta":0.01`) {
		t.Errorf("eta is lost in %s", body1)
	}
}

func TestParseFaults(t *testing.T) {
	for _, tc := range []struct{ name, old, with, want string }{
		{"unknown member", "  partitions: 2", "  partition: 2",
			"document 1 (Stream flights), line 6: /spec/partition: unknown member: want one of partitions, types"},
		{"unknown nested member", "minGain", "mingain", "document 3 (Model flight-delay), line 32: /spec/evaluation/mingain: unknown"},
		{"type", "partitions: 2", "partitions: two", "line 6: /spec/partitions: want an integer, got a string"},
		{"missing member", "  owner: ops\n", "", "/spec/owner: say who"},
		{"duplicate member", "  owner: ops\n", "  owner: ops\n  owner: me\n", "line 29: /spec/owner: is there twice"},
		{"syntax", "  owner: ops\n", "  owner: [ops\n", "document 3: line "},
		{"kind", "kind: Stream", "kind: stream", "document 1 (stream flights), line 3: /kind: want Stream, Dataset, Workflow or Model"},
		{"version", "apiVersion: signalbox.dev/v1", "apiVersion: v1", "line 2: /apiVersion: want signalbox.dev/v1"},
		{"name", "{name: flights}", "{name: Flights}", `line 4: /metadata/name: "Flights": not a name`},
		{"member of the document", "metadata: {name: flights}", "metadata: {name: flights, labels: {}}", "line 4: /metadata/labels: unknown"},
		{"anchor", "partitions: 2", "partitions: &n 2", "line 6: /spec/partitions: anchors"},
		{"merge", "  partitions: 2", "  <<: {partitions: 2}", "line 5: /spec: a member's name must be plain text"},
		{"not a number", "1e-2", ".nan", "/spec/train/custom_params/eta: JSON has no number .nan"},
		{"duration", "lateness: 90m", "lateness: 90 minutes", `/spec/window/lateness: duration "90 minutes"`},
		{"time", "2026-01-01T00:00:00Z", "2026-01-01", "/spec/window/start: "},
		{"null", "owner: ops", "owner:", "/spec/owner: want a string, got null"},
		{"slash in a name", "com.example.flight.departed:", "a/b:", "line 8: /spec/types/a~1b: "},
		{"scalar document", flights, "hello", "document 1, line 1: want an object, got a string"},
	} {
		text := strings.Replace(flights, tc.old, tc.with, 1)
		if text == flights {
			t.Fatalf("%s: %q is not in the text", tc.name, tc.old)
		}
		docs, err := Parse([]byte(text))
		if err == nil || !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %d documents, %v, want %s", tc.name, len(docs), err, tc.want)
		}
	}
}

func TestParseListsAllFaults(t *testing.T) {
	text := strings.NewReplacer("  owner: ops\n", "", "metric: auc", "metric: f1", "partitions: 2", "partitions: -2").Replace(flights)
	_, err := Parse([]byte(text))
	for _, want := range []string{"document 1 (Stream flights), line 6: /spec/partitions", "/spec/owner", "/spec/evaluation/metric"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s in it", err, want)
		}
	}
	var f *Fault
	if !errors.As(err, &f) || f.Document != 1 || f.Line != 6 {
		t.Errorf("first fault = %+v", f)
	}
}

func TestParseNothing(t *testing.T) {
	for _, text := range []string{"", "---\n", "# nothing\n---\n---\n"} {
		if docs, err := Parse([]byte(text)); err != nil || len(docs) != 0 {
			t.Errorf("Parse(%q) = %v, %v", text, docs, err)
		}
	}
	if _, err := Parse(make([]byte, MaxYAML+1)); !errors.Is(err, ErrInvalid) {
		t.Errorf("a text over the limit: %v, want ErrInvalid", err)
	}
}

func TestParseBomb(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'k'; c++ {
		prev := string(c - 1)
		bomb += string(c) + ": &" + string(c) + " [*" + strings.Repeat(prev+",*", 8) + prev + "]\n"
	}
	if _, err := Parse([]byte(bomb)); !errors.Is(err, ErrInvalid) {
		t.Errorf("aliases of aliases: %v, want ErrInvalid", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{flights, "{}", "a: [1, {b: c}]", "--- !!binary aGk=\n", "? [a]\n: b\n", "x: !!float .inf", "1: 2\n1: 3"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		docs, err := Parse(b)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("%v is no ErrInvalid", err)
			}
			return
		}
		for _, d := range docs {
			if _, _, err := Canonical(d); err != nil {
				t.Fatalf("%s %s was accepted, but has no canonical form: %v", d.Kind, d.Metadata.Name, err)
			}
		}
	})
}
