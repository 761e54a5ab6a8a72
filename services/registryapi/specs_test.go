package registryapi

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/spec"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

const streamsYAML = workflowYAML + `---
apiVersion: signalbox.dev/v1
kind: Stream
metadata: {name: flights}
spec: {partitions: 2, types: {departed: {schema: {type: object, required: [carrier]}}}}
---
apiVersion: signalbox.dev/v1
kind: Stream
metadata: {name: weather}
spec: {types: {observed: {schema: {type: object}}}}
---
` + modelYAML

func results(list []registry.Applied) string {
	var out []string
	for _, a := range list {
		out = append(out, fmt.Sprintf("%s %s %d", a.Name, a.Result, a.Generation))
	}
	return strings.Join(out, ", ")
}

func TestApply(t *testing.T) {
	w := newWorld(t)
	c := w.as(auth.Admin)
	docs := must(spec.Parse([]byte(streamsYAML)))(t)
	const fresh = "flight-delay created 1, flights created 1, weather created 1, flight-delay created 1"
	if got := results(must(c.Apply(t.Context(), docs, true))(t)); got != fresh {
		t.Errorf("dry run: %s", got)
	}
	if list := must(c.ListSpecs(t.Context(), ""))(t); len(list) != 0 || len(w.topics.made) != 0 {
		t.Errorf("a dry run left %d specs and %v", len(list), w.topics.made)
	}
	if got := results(must(c.Apply(t.Context(), docs, false))(t)); got != fresh {
		t.Errorf("applied: %s", got)
	}
	want := []events.TopicSpec{{Name: "events.flights", Partitions: 2}, {Name: "events.weather", Partitions: 4}}
	if !slices.Equal(w.topics.made, want) || !slices.Equal(w.topics.then, []int{0}) {
		t.Errorf("topics %v made when %v specs could be seen", w.topics.made, w.topics.then)
	}
	if got := results(must(c.Apply(t.Context(), docs, false))(t)); got != strings.ReplaceAll(fresh, "created", "unchanged") {
		t.Errorf("again: %s", got)
	}
	if len(w.topics.made) != 4 {
		t.Errorf("a topic that was lost stays lost: %v", w.topics.made)
	}
	if list := must(c.ListSpecs(t.Context(), spec.KindStream))(t); len(list) != 2 || list[1].Name != "weather" {
		t.Errorf("streams %+v", list)
	}
	s := must(c.Spec(t.Context(), spec.KindStream, "flights"))(t)
	if body := must(spec.Read[spec.Stream](s.Body))(t); body.Partitions != 2 || s.Generation != 1 {
		t.Errorf("stream %+v", s)
	}
}

// Without its topic a stream must not be seen, or somebody publishes into nothing.
func TestNothingIsAppliedWithoutTopics(t *testing.T) {
	w := newWorld(t)
	c := w.as(auth.Admin)
	docs := must(spec.Parse([]byte(streamsYAML)))(t)
	w.topics.err = errors.New("dial 10.1.2.3: hunter2")
	body := w.documents(streamsYAML)
	a := w.do(w.tokens[auth.Admin], "POST", "/v1/specs", body)
	if p := get[problem](t, a, http.StatusServiceUnavailable); p.Code != "topics_unavailable" || a.header.Get("Retry-After") != "2" || strings.Contains(a.body, "hunter2") {
		t.Errorf("%v %s", a.header, a.body)
	}
	if list := must(w.reg.Specs(t.Context(), ""))(t); len(list) != 0 {
		t.Errorf("stored %+v", list)
	}
	must(c.Apply(t.Context(), must(spec.Parse([]byte(workflowYAML)))(t), false))(t) // needs none
	w.topics.err = nil
	must(c.Apply(t.Context(), docs, false))(t)
}

// documents is the body that applies YAML.
func (w *world) documents(yaml string) string {
	w.t.Helper()
	var out []string
	for _, d := range must(spec.Parse([]byte(yaml)))(w.t) {
		out = append(out, fmt.Sprintf(`{"apiVersion":%q,"kind":%q,"metadata":{"name":%q},"spec":%s}`, d.APIVersion, d.Kind, d.Metadata.Name, d.Spec))
	}
	return `{"documents":[` + strings.Join(out, ",") + `]}`
}

func document(kind, name, body string) string {
	return fmt.Sprintf(`{"apiVersion":"signalbox.dev/v1","kind":%q,"metadata":{"name":%q},"spec":%s}`, kind, name, body)
}

func TestFaultsPointIntoTheBody(t *testing.T) {
	w := newWorld(t)
	must(w.as(auth.Admin).Apply(t.Context(), must(spec.Parse([]byte(streamsYAML)))(t), false))(t)
	made := len(w.topics.made)
	workflow := document("Workflow", "w", `{"entrypoint":"a:B","files":{"a.py":{"content":"x"}}}`)
	for name, c := range map[string]struct {
		docs string
		want []string // pointers
	}{
		"bad schemas": {workflow + "," + document("Stream", "s", `{"types":{"a":{"schema":{"type":"nonsense"}},"b":{"schema":{"$ref":"file:///etc/passwd"}},"c":{"schema":{}}}}`),
			[]string{"/documents/1/spec/types/a/schema/type", "/documents/1/spec/types/b/schema/$ref"}},
		"schema and another document": {document("Stream", "s", `{"types":{"a":{"schema":{"pattern":"("}}}}`) + "," + document("Model", "m", `{"train":{}}`),
			[]string{"/documents/0/spec/types/a/schema/pattern", "/documents/1/spec/evaluation/metric", "/documents/1/spec/owner"}},
		"unknown member":    {document("Stream", "s", `{"typs":{}}`), []string{"/documents/0/spec/typs"}},
		"unknown kind":      {document("Thing", "s", `{}`), []string{"/documents/0/kind"}},
		"version":           {strings.Replace(workflow, "dev/v1", "dev/v2", 1), []string{"/documents/0/apiVersion"}},
		"bad name":          {document("Stream", "A B", `{"types":{"a":{"schema":{}}}}`), []string{"/documents/0/metadata/name"}},
		"twice":             {workflow + "," + workflow, []string{"/documents/1/metadata/name"}},
		"other partitions":  {document("Stream", "flights", `{"partitions":9,"types":{"departed":{"schema":{}}}}`), []string{"/documents/0/spec/partitions"}},
		"type of a stream":  {document("Stream", "z", `{"types":{"departed":{"schema":{}}}}`), []string{"/documents/0/spec/types/departed"}},
		"takes a type away": {document("Stream", "a", `{"types":{"departed":{"schema":{}}}}`), []string{""}},
		"reserved type":     {document("Stream", "z", `{"types":{"dev.signalbox.run.x":{"schema":{}}}}`), []string{"/documents/0/spec/types/dev.signalbox.run.x"}},
		"no spec":           {`{"apiVersion":"signalbox.dev/v1","kind":"Stream","metadata":{"name":"s"}}`, []string{"/documents/0/spec"}},
		"nothing":           {``, []string{"/documents"}},
		"too many":          {strings.Repeat("{},", maxDocuments) + "{}", []string{"/documents"}},
	} {
		p := w.refuses(name, refusal{auth.Admin, "POST", "/v1/specs", `{"documents":[` + c.docs + `]}`, nil, 422, "invalid", ""})
		for _, want := range c.want {
			if !slices.ContainsFunc(p.Errors, func(f fault) bool { return f.Pointer == want && f.Detail != "" }) {
				t.Errorf("%s: no fault at %q: %+v", name, want, p.Errors)
			}
		}
	}
	if len(w.topics.made) != made {
		t.Errorf("topics of streams that were refused: %v", w.topics.made[made:])
	}
}

func TestSpecsRefused(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]refusal{
		"may not":              {auth.Trainer, "POST", "/v1/specs", `{}`, nil, 403, "forbidden", "specs.apply"},
		"unknown member":       {auth.Admin, "POST", "/v1/specs", `{"docs":[]}`, nil, 400, "malformed", "docs"},
		"misspelt dry run":     {auth.Admin, "POST", "/v1/specs?dryrun=true", `{}`, nil, 400, "bad_query", "dry-run"},
		"dry run of yes":       {auth.Admin, "POST", "/v1/specs?dry-run=yes", `{}`, nil, 400, "bad_query", "true or false"},
		"U+0000 in a schema":   {auth.Admin, "POST", "/v1/specs", `{"documents":[{"spec":{"a":[{"\u0000":1}]}}]}`, nil, 400, "bad_text", ""},
		"too large":            {auth.Admin, "POST", "/v1/specs", strings.Repeat(" ", maxApply+1), nil, 413, "too_large", ""},
		"long key":             {auth.Admin, "POST", "/v1/specs", `{}`, []string{httpapi.HeaderIdempotencyKey, strings.Repeat("k", 256)}, 400, "bad_idempotency_key", ""},
		"list: no such kind":   {auth.Viewer, "GET", "/v1/specs?kind=stream", "", nil, 400, "bad_query", "Stream"},
		"list: limit":          {auth.Viewer, "GET", "/v1/specs?limit=x", "", nil, 400, "bad_query", "limit"},
		"get: no such kind":    {auth.Viewer, "GET", "/v1/specs/Thing/x", "", nil, 400, "bad_query", "kind"},
		"get: bad name":        {auth.Viewer, "GET", "/v1/specs/Stream/X", "", nil, 400, "bad_name", ""},
		"get: no such spec":    {auth.Viewer, "GET", "/v1/specs/Stream/x", "", nil, 404, "not_found", ""},
		"get: may not":         {auth.Producer, "GET", "/v1/specs/Stream/x", "", nil, 403, "forbidden", ""},
		"list: U+0000 in name": {auth.Viewer, "GET", "/v1/specs?%00=x", "", nil, 400, "bad_text", ""},
	} {
		w.refuses(name, c)
	}
	w.catalog.fail = errors.New("SELECT hunter2")
	p := w.refuses("the catalog is away", refusal{auth.Admin, "POST", "/v1/specs", w.documents(workflowYAML), nil, 500, "internal", "request id"})
	if strings.Contains(p.Detail, "hunter2") {
		t.Errorf("leaks: %s", p.Detail)
	}
}
