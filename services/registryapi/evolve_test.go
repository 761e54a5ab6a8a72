package registryapi

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/spec"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
)

func stream(types string) string { return document("Stream", "shop", `{"types":{`+types+`}}`) }

const (
	paid       = `"paid":{"schema":{"type":"object","required":["id"],"properties":{"id":{"type":"string"}}}}`
	paidMore   = `"paid":{"schema":{"type":"object","required":["id"],"properties":{"id":{"type":"string"},"fee":{"type":"number"}}}}`
	paidOther  = `"paid":{"schema":{"type":"object","required":["id","fee"],"properties":{"id":{"type":"integer"},"fee":{"type":"number"}}}}`
	paidNone   = `"paid":{"compatibility":"none","schema":{"type":"object","required":["id","fee"],"properties":{"id":{"type":"integer"},"fee":{"type":"number"}}}}`
	refunded   = `"refunded":{"schema":{"type":"object"}}`
	wayOutType = "compatibility: none"
)

// Streams change one after another; each either passes or is refused for faults at pointers.
func TestStreamsStayReadable(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name, types string
		want        []string // pointers below the types; none where it passes
	}{
		{"first", paid + "," + refunded, nil},
		{"a type is added", paid + "," + refunded + `,"closed":{"schema":{}}`, nil},
		{"an optional member is added", paidMore + "," + refunded + `,"closed":{"schema":{}}`, nil},
		{"it is taken back", paid + "," + refunded + `,"closed":{"schema":{}}`, []string{"/paid/schema/properties/fee"}},
		{"required and of another type", paidOther + "," + refunded + `,"closed":{"schema":{}}`, []string{"/paid/schema/required", "/paid/schema/properties/id/type"}},
		{"a type is taken away", paidMore + `,"closed":{"schema":{}}`, []string{"/refunded"}},
		{"a type is taken away, another broken", paidOther + `,"closed":{"schema":{}}`, []string{"/refunded", "/paid/schema/required", "/paid/schema/properties/id/type"}},
		{"what does not compile is told once", `"paid":{"schema":{"type":"nonsense"}},` + refunded + `,"closed":{"schema":{}}`, []string{"/paid/schema/type"}},
		{"no such compatibility", strings.Replace(paidNone, "none", "some", 1), []string{"/paid/compatibility"}},
		{"no promise", paidNone + "," + refunded + `,"closed":{"schema":{}}`, nil},
		{"a promise again, of something else", paid + "," + refunded + `,"closed":{"schema":{}}`, nil},
		{"which holds", paidOther + "," + refunded + `,"closed":{"schema":{}}`, []string{"/paid/schema/properties/id/type", "/paid/schema/required"}},
		{"no promise for another", paid + `,"refunded":{"compatibility":"none","schema":{"type":"object"}},"closed":{"schema":{}}`, nil},
		{"so it can go", paid + `,"closed":{"schema":{}}`, nil},
	} {
		body := `{"documents":[` + stream(c.types) + `]}`
		before := must(w.reg.Specs(t.Context(), spec.KindStream))(t)
		if c.want == nil {
			if a := w.do(w.tokens[auth.Admin], "POST", "/v1/specs", body); a.status != 200 {
				t.Fatalf("%s: %d %s", c.name, a.status, a.body)
			}
			continue
		}
		p := w.refuses(c.name, refusal{auth.Admin, "POST", "/v1/specs", body, nil, 422, "invalid", ""})
		for _, f := range p.Errors {
			if !slices.Contains(c.want, strings.TrimPrefix(f.Pointer, "/documents/0/spec/types")) {
				t.Errorf("%s: not expected: %+v", c.name, f)
			}
		}
		for _, want := range c.want {
			if !slices.ContainsFunc(p.Errors, func(f fault) bool { return f.Pointer == "/documents/0/spec/types"+want }) {
				t.Errorf("%s: no fault at %s: %+v", c.name, want, p.Errors)
			}
		}
		if after := must(w.reg.Specs(t.Context(), spec.KindStream))(t); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("%s: it was stored", c.name)
		}
	}
	p := w.refuses("what to do", refusal{auth.Admin, "POST", "/v1/specs", `{"documents":[` + stream(paidOther+`,"closed":{"schema":{}}`) + `]}`, nil, 422, "invalid", ""})
	if text := fmt.Sprint(p.Errors); !strings.Contains(text, "was string, is integer") || !strings.Contains(text, wayOutType) {
		t.Errorf("says %s", text)
	}
}

// A schema from before the subset was closed cannot be compared with anything; it can be replaced by one that says so.
func TestStreamOfAnUnknownSchema(t *testing.T) {
	w := newWorld(t)
	declare := func(schema string) string { return `{"types":{"paid":{"schema":` + schema + `}}}` }
	old := declare(`{"oneOf":[{"type":"object"}]}`)
	if _, _, err := w.catalog.PutSpec(t.Context(), registry.Spec{Kind: spec.KindStream, Name: "shop", Body: []byte(old), Digest: cas.Sum([]byte(old))}); err != nil {
		t.Fatal(err)
	}
	body := `{"documents":[` + document("Stream", "shop", declare(`{"type":"object"}`)) + `]}`
	p := w.refuses("no proof", refusal{auth.Admin, "POST", "/v1/specs", body, nil, 422, "invalid", "oneOf"})
	if len(p.Errors) != 1 || p.Errors[0].Pointer != "/documents/0/spec/types/paid/schema" || !strings.Contains(p.Errors[0].Detail, wayOutType) {
		t.Errorf("%+v", p.Errors)
	}
	body = strings.Replace(body, `{"schema"`, `{"compatibility":"none","schema"`, 1)
	if a := w.do(w.tokens[auth.Admin], "POST", "/v1/specs", body); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// A column keeps its kind even where nothing else is promised, and has no name that the archive needs.
func TestColumnsKeepTheirKind(t *testing.T) {
	w := newWorld(t)
	declare := func(typ, property, column, kind string) string {
		return `{"documents":[` + stream(fmt.Sprintf(`%q:{"compatibility":"none","schema":{"properties":{%q:{"type":%q,"x-signalbox-column":%q}}}}`, typ, property, kind, column)) + `]}`
	}
	for _, body := range []string{declare("paid", "amount", "cents", "integer"), `{"documents":[` + stream(refunded) + `]}`} {
		if a := w.do(w.tokens[auth.Admin], "POST", "/v1/specs", strings.Replace(body, `"refunded":{`, `"refunded":{"compatibility":"none",`, 1)); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	for name, c := range map[string]struct{ body, pointer, says string }{
		"another kind":     {declare("sent", "a/t", "cents", "string"), "/sent/schema/properties/a~1t/x-signalbox-column", `write another name, such as "cents_text"`},
		"a name of a file": {declare("sent", "at", "ce_time", "string"), "/sent/schema/properties/at/x-signalbox-column", `write another one, such as "my_ce_time"`},
	} {
		p := w.refuses(name, refusal{auth.Admin, "POST", "/v1/specs?dry-run=true", c.body, nil, 422, "invalid", ""})
		if len(p.Errors) != 1 || p.Errors[0].Pointer != "/documents/0/spec/types"+c.pointer || !strings.Contains(p.Errors[0].Detail, c.says) {
			t.Errorf("%s: %+v", name, p.Errors)
		}
	}
	if a := w.do(w.tokens[auth.Admin], "POST", "/v1/specs", declare("sent", "number", "cents", "integer")); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}
