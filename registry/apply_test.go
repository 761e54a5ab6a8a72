package registry_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

const allYAML = `apiVersion: signalbox.dev/v1
kind: Model
metadata: {name: flight-delay}
spec:
  owner: ops
  project: demo
  dataset: flights
  train: {workflow_name: FlightDelay, classifier_features: [delay], label: late}
  evaluation: {tag: production, metric: auc}
---
apiVersion: signalbox.dev/v1
kind: Dataset
metadata: {name: flights}
spec:
  window: {start: 2026-01-01T00:00:00Z, every: 1d}
  sources:
    departed: {stream: flights, type: departed, fields: {id: string}}
    predicted: {stream: signalbox.predictions, type: dev.signalbox.prediction.made}
  spine: {from: departed, select: {id: id}}
  label: {from: departed, match: {id: id}, select: {late: id}, maturity: 1d}
---
apiVersion: signalbox.dev/v1
kind: Stream
metadata: {name: flights}
spec: {partitions: 2, types: {departed: {schema: {type: object}}}}
---
` + workflowYAML

func results(as []registry.Applied) string {
	var out []string
	for _, a := range as {
		out = append(out, fmt.Sprintf("%s %s %d", a.Kind, a.Result, a.Generation))
	}
	return strings.Join(out, ", ")
}

func TestApply(t *testing.T) {
	b := newBench(t)
	docs := must(spec.Parse([]byte(allYAML)))(t)
	const fresh = "Model created 1, Dataset created 1, Stream created 1, Workflow created 1"
	if got := results(must(b.Apply(t.Context(), docs, true))(t)); got != fresh {
		t.Errorf("dry run = %s", got)
	}
	if specs := must(b.Specs(t.Context(), ""))(t); len(specs) != 0 {
		t.Errorf("a dry run stored %d specs", len(specs))
	}
	if got := results(must(b.Apply(t.Context(), docs, false))(t)); got != fresh {
		t.Errorf("applied = %s", got)
	}
	if got := results(must(b.Apply(t.Context(), docs, false))(t)); got != strings.ReplaceAll(fresh, "created", "unchanged") {
		t.Errorf("applied again = %s", got)
	}
	if got := results(b.apply(t, strings.Replace(allYAML, "owner: ops", "owner: me", 1))); !strings.HasPrefix(got, "Model changed 2, Dataset unchanged 1") {
		t.Errorf("applied a change = %s", got)
	}
	s := must(b.Spec(t.Context(), spec.KindModel, "flight-delay"))(t)
	if m, err := spec.Read[spec.Model](s.Body); err != nil || m.Owner != "me" || s.Generation != 2 {
		t.Errorf("stored %+v at %d, %v", m, s.Generation, err)
	}
}

func TestApplyRefused(t *testing.T) {
	b := newBench(t)
	b.apply(t, allYAML)
	stream := func(name, types string) string {
		return "apiVersion: signalbox.dev/v1\nkind: Stream\nmetadata: {name: " + name + "}\nspec: {partitions: 2, types: {" + types + "}}\n"
	}
	for name, tc := range map[string]struct{ yaml, want string }{
		"type of two streams":       {stream("other", "departed: {schema: {}}"), "Stream other: /spec/types/departed: the type belongs to the stream flights"},
		"type of two new streams":   {stream("a", "t: {schema: {}}") + "---\n" + stream("b", "t: {schema: {}}"), "Stream b: /spec/types/t: the type belongs to the stream a"},
		"twice in one text":         {stream("a", "t: {schema: {}}") + "---\n" + stream("a", "u: {schema: {}}"), "Stream a: /metadata/name"},
		"other partitions":          {strings.Replace(allYAML, "partitions: 2", "partitions: 3", 1), "Stream flights: /spec/partitions: the stream has 2"},
		"default partitions":        {strings.Replace(allYAML, "partitions: 2, ", "", 1), "Stream flights: /spec/partitions"},
		"no such workflow":          {strings.Replace(allYAML, "workflow_name: FlightDelay", "workflow_name: Nobody", 1), "Model flight-delay: /spec/train/workflow_name"},
		"no such type":              {strings.Replace(allYAML, "stream: flights, type: departed", "stream: flights, type: landed", 1), "Dataset flights: /spec/sources/departed"},
		"type of another stream":    {strings.Replace(allYAML, "stream: flights, type: departed", "stream: trains, type: departed", 1), "Dataset flights: /spec/sources/departed"},
		"lifecycle stream's name":   {strings.Replace(allYAML, "stream: signalbox.predictions", "stream: predictions", 1), "is archived as the stream signalbox.predictions"},
		"removed type still needed": {strings.Replace(strings.Replace(allYAML, "types: {departed", "types: {landed", 1), "every: 1d", "every: 2d", 1), "Dataset flights: /spec/sources/departed"},
	} {
		_, err := b.Apply(t.Context(), must(spec.Parse([]byte(tc.yaml)))(t), false)
		wantInvalid(t, name, err, tc.want)
	}
	// What a client sends is judged again: it may not have come through Parse.
	docs := must(spec.Parse([]byte(allYAML)))(t)
	docs[0].Metadata.Name, docs[3].Spec = "A B", []byte(`{"entrypoint":"delay:X","files":{"delay.py":{"file":"/etc/passwd"}}}`)
	_, err := b.Apply(t.Context(), docs, false)
	wantInvalid(t, "bad name", err, "/metadata/name")
	wantInvalid(t, "file of the server", err, "/spec/files/delay.py")
	for _, s := range must(b.Specs(t.Context(), ""))(t) {
		if s.Generation != 1 {
			t.Errorf("%s %s was changed by a refused document", s.Kind, s.Name)
		}
	}
}

func TestApplyJudge(t *testing.T) {
	b := newBench(t, func(c *registry.Config) {
		c.Judge = func(_ spec.Document, body any) error {
			if s, ok := body.(*spec.Stream); ok && len(s.Types) > 1 {
				return errors.New("the schema does not compile")
			}
			return nil
		}
	})
	b.apply(t, allYAML)
	_, err := b.Apply(t.Context(), must(spec.Parse([]byte(strings.Replace(allYAML, "types: {", "types: {t: {schema: {}}, ", 1))))(t), true)
	wantInvalid(t, "judged", err, "Stream flights: /spec: the schema does not compile")
}
