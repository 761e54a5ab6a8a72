package training

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
)

// fullRequest has every member that a request may have.
const fullRequest = `{
  "model_description": "late or not", "model_name": "flight-delay", "owner": "ops", "project": "flights", "trainer": "kelley",
  "data": {
    "features": [{"dataset": "flights@latest", "names": ["event_time", "carrier", "delay", "late"], "source": "s3"}],
    "date_column": "event_time",
    "filters": [
      {"feature_name": "carrier", "predicate": "IsIn", "feature_value": {"string_vals": ["US", "CA"]}},
      {"feature_name": "carrier", "predicate": "Eq", "feature_value": {"string_val": "US"}},
      {"feature_name": "delay", "predicate": "Gt", "feature_value": {"float_val": 0.5}},
      {"feature_name": "delay", "predicate": "IsIn", "feature_value": {"float_vals": [0.5, 1]}},
      {"feature_name": "delay", "predicate": "Lt", "feature_value": {"int_val": 500}},
      {"feature_name": "delay", "predicate": "NotIn", "feature_value": {"int_vals": [7, 8]}},
      {"feature_name": "late", "predicate": "NotEq", "feature_value": {"bool_val": true}},
      {"feature_name": "event_time", "predicate": "GtEq", "feature_value": {"date_val": "2018-10-01"}}],
    "holdout_sampling": {"sampling_function": "DATE_RANGE",
      "date_range_sampling": {"date_column": "event_time", "start_date": "2018-10-01", "end_date": "2019-01-01"}}},
  "train": {"workflow_name": "FlightDelay", "classifier_features": ["carrier", "delay"], "label": "late",
    "custom_params": {"eta": 0.1, "name": "x"}},
  "compute_resource": "GPU", "priority": 10, "my_own": {"kept": [1, "x"]}
}`

// spoil replaces the member at a JSON pointer, or removes it with value "".
func spoil(t *testing.T, request, pointer, value string) string {
	t.Helper()
	var doc any
	dec := json.NewDecoder(strings.NewReader(request))
	dec.UseNumber()
	if err := dec.Decode(&doc); err != nil {
		t.Fatal(err)
	}
	steps := strings.Split(pointer, "/")[1:]
	at := doc
	for i, step := range steps {
		last := i == len(steps)-1
		switch in := at.(type) {
		case map[string]any:
			if at = in[step]; last && value == "" {
				delete(in, step)
			} else if last {
				in[step] = json.RawMessage(value)
			}
		case []any:
			n, err := strconv.Atoi(step)
			if err != nil || n >= len(in) {
				t.Fatalf("%s leads nowhere", pointer)
			}
			if at = in[n]; last {
				in[n] = json.RawMessage(value)
			}
		}
	}
	b, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// refusedAt posts a request that must be refused, and returns at which members.
func (w *world) refusedAt(request string) []string {
	w.t.Helper()
	rec := w.do(w.tokens[auth.Trainer], "POST", "/train", request)
	if rec.Code != http.StatusUnprocessableEntity {
		return []string{strconv.Itoa(rec.Code), rec.Body.String()}
	}
	p := want[problem](w, rec, http.StatusUnprocessableEntity)
	var at []string
	for _, f := range p.Errors {
		at = append(at, f.Pointer)
	}
	return at
}

// wrong are values that are not of a kind.
func wrong(kind string) []string {
	values := map[string][]string{"string": {`"x"`}, "number": {"7", "1e9"}, "object": {"{}"}, "array": {"[]"}, "boolean": {"true"}}
	var out []string
	for k, list := range values {
		if k != kind {
			out = append(out, list...)
		}
	}
	return out
}

// TestEveryMemberBroken breaks every member of a request in every way, and wants to hear of that member and of no other.
func TestEveryMemberBroken(t *testing.T) {
	w := newWorld(t)
	if rec := w.do(w.tokens[auth.Trainer], "POST", "/train", fullRequest); rec.Code != http.StatusOK {
		t.Fatalf("the whole request: %d %s", rec.Code, rec.Body)
	}
	long := `"` + strings.Repeat("x", 20_000) + `"`
	many := func(n int, value string) string {
		return "[" + strings.TrimSuffix(strings.Repeat(value+",", n), ",") + "]"
	}
	const holdout, value = "/data/holdout_sampling", "/feature_value/"
	members := []struct {
		at, kind string
		required bool
		also     []string // values that are wrong in another way
	}{
		{"/model_name", "string", true, []string{`""`, `"A b"`, `"é"`}},
		{"/model_description", "string", false, nil},
		{"/owner", "string", false, []string{`"` + strings.Repeat("é", 128) + `"`}},
		{"/project", "string", false, nil},
		{"/trainer", "string", false, nil},
		{"/data", "object", true, nil},
		{"/data/features", "array", true, []string{"[]", many(101, `{"dataset":"flights@latest"}`)}},
		{"/data/features/0", "object", false, []string{"null", "{}"}},
		{"/data/features/0/dataset", "string", false, []string{`"none@latest"`, `"flights"`, `"@latest"`, `"sha256.AAAA"`}},
		{"/data/features/0/names", "array", false, []string{many(5001, `"late"`)}},
		{"/data/features/0/names/1", "string", false, []string{`""`, `"none"`, "null"}},
		{"/data/date_column", "string", false, []string{`"none"`}},
		{"/data/filters", "array", false, []string{many(10_000, `{"feature_name":"delay","predicate":"IsNull"}`)}},
		{"/data/filters/0", "object", false, []string{"null"}},
		{"/data/filters/0/feature_name", "string", true, []string{`"none"`}},
		{"/data/filters/0/predicate", "string", true, []string{`"Like"`, `"isin"`, `""`}},
		{"/data/filters/0/feature_value", "object", true, []string{"null", "{}", `{"string_vals":[],"int_vals":[]}`}},
		{"/data/filters/0" + value + "string_vals", "array", false, []string{many(10_001, `"x"`)}},
		{"/data/filters/0" + value + "string_vals/1", "string", false, []string{"null"}},
		{"/data/filters/1" + value + "string_val", "string", false, nil},
		{"/data/filters/2" + value + "float_val", "number", false, nil},
		{"/data/filters/3" + value + "float_vals", "array", false, []string{many(10_001, "1")}},
		{"/data/filters/3" + value + "float_vals/0", "number", false, []string{"null"}},
		{"/data/filters/4" + value + "int_val", "number", false, []string{"0.5"}},
		{"/data/filters/5" + value + "int_vals", "array", false, nil},
		{"/data/filters/5" + value + "int_vals/1", "number", false, []string{"0.5"}},
		{"/data/filters/6" + value + "bool_val", "boolean", false, nil},
		{"/data/filters/7" + value + "date_val", "string", false, []string{`""`, `"today"`, `"2018-13-01"`}},
		{holdout, "object", false, nil},
		{holdout + "/sampling_function", "string", true, []string{`"NONE"`}},
		{holdout + "/date_range_sampling", "object", true, []string{"{}"}},
		{holdout + "/date_range_sampling/date_column", "string", false, []string{`"none"`}},
		{holdout + "/date_range_sampling/start_date", "string", false, []string{`"soon"`}},
		{holdout + "/date_range_sampling/end_date", "string", false, []string{`"2018-09-01"`}},
		{"/train", "object", true, nil},
		{"/train/workflow_name", "string", true, []string{`""`, `"None"`, `"../x"`}},
		{"/train/classifier_features", "array", true, []string{"[]", many(5001, `"delay"`)}},
		{"/train/classifier_features/1", "string", false, []string{`""`, `"none"`, `"carrier"`, `"late"`, `"event_time"`, "null"}},
		{"/train/label", "string", true, []string{`""`, `"none"`}},
		{"/train/custom_params", "object", false, nil},
		{"/compute_resource", "string", false, []string{`""`, `"gpu"`, `"TPU"`}},
		{"/priority", "number", false, []string{"101", "-101", "0.5", "1e1"}},
	}
	for _, m := range members {
		values := append(wrong(m.kind), m.also...)
		switch m.kind {
		case "string":
			values = append(values, long, `"a\u0000b"`)
		case "number":
			values = append(values, "1e999", "-1e999", "123456789012345678901234567890")
		}
		if m.required {
			values = append(values, "")
		}
		for _, v := range values {
			if m.at == "/compute_resource" && v == "{}" || m.kind == "number" && strings.Contains("7 1e9", v) {
				continue
			}
			got := w.refusedAt(spoil(t, fullRequest, m.at, v))
			if !slices.Equal(got, []string{m.at}) {
				t.Errorf("%s = %.60s: faults at %q", m.at, v, got)
			}
		}
	}
	all, err := w.reg.Runs(t.Context(), registry.RunFilter{})
	if err != nil || len(all) != 1 {
		t.Errorf("%d runs were created, %v", len(all)-1, err)
	}
}

func TestMembersThatAreNotKnown(t *testing.T) {
	w := newWorld(t)
	for _, in := range []string{"/data", "/data/features/0", "/data/filters/0", "/data/filters/0/feature_value", "/data/holdout_sampling",
		"/data/holdout_sampling/date_range_sampling"} {
		at := in + "/my_own"
		if got := w.refusedAt(spoil(t, fullRequest, at, "1")); !slices.Equal(got, []string{at}) {
			t.Errorf("%s: faults at %q", at, got)
		}
	}
	for _, at := range []string{"/Model_Name", "/PROJECT", "/Train", "/train/Label", "/train/classifier_Features"} {
		if got := w.refusedAt(spoil(t, fullRequest, at, `"x"`)); !slices.Equal(got, []string{at}) {
			t.Errorf("%s: faults at %q", at, got)
		}
	}
	for _, at := range []string{"/my_own", "/a~b", "/train/my_own", "/train/custom_params/my_own", "/train/custom_params/Label"} {
		if rec := w.do(w.tokens[auth.Trainer], "POST", "/train", spoil(t, fullRequest, at, `{"deep":[]}`)); rec.Code != http.StatusOK {
			t.Errorf("%s: %d %s", at, rec.Code, rec.Body)
		}
	}
}

// What nobody can keep is refused wherever it stands, also in what is the workflow's.
func TestValuesThatCannotBeKept(t *testing.T) {
	w := newWorld(t)
	for _, at := range []string{"/my_own", "/my_own/kept/0", "/train/my_own", "/train/custom_params/eta", "/data/features/0/source"} {
		for _, v := range []string{"1e999", "9007199254740993", `"\u0000"`} {
			if got := w.refusedAt(spoil(t, fullRequest, at, v)); !slices.Equal(got, []string{at}) {
				t.Errorf("%s = %s: faults at %q", at, v, got)
			}
		}
	}
	if got := w.refusedAt(strings.Replace(fullRequest, `"kept"`, `"ke\u0000pt"`, 1)); !slices.Equal(got, []string{"/my_own"}) {
		t.Errorf("name with U+0000: faults at %q", got)
	}
	deep := strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)
	if rec := w.do(w.tokens[auth.Trainer], "POST", "/train", strings.Replace(fullRequest, `[1, "x"]`, deep, 1)); rec.Code != http.StatusBadRequest {
		t.Errorf("deep nesting: %d", rec.Code)
	}
}

func TestManyFaultsAreAllNamed(t *testing.T) {
	w := newWorld(t)
	request, want := fullRequest, []string{
		"/compute_resource", "/data/date_column", "/data/filters/0/predicate", "/data/filters/7/feature_value/date_val", "/data/my_own",
		"/model_name", "/my_own", "/owner", "/priority", "/train/classifier_features/0", "/train/custom_params/eta", "/train/label",
		"/train/workflow_name",
	}
	for _, at := range want {
		request = spoil(t, request, at, map[bool]string{true: "1e999", false: "[false]"}[at == "/my_own" || strings.HasSuffix(at, "eta")])
	}
	if got := w.refusedAt(request); !slices.Equal(got, want) {
		t.Errorf("faults at %q, want %q", got, want)
	}
	filters := strings.TrimSuffix(strings.Repeat(`{"predicate":"Like"},`, 900), ",")
	if got := w.refusedAt(spoil(t, fullRequest, "/data/filters", "["+filters+"]")); len(got) != 100 {
		t.Errorf("%d faults are named, want the first 100", len(got))
	}
}

func TestComputeResourceAndPriority(t *testing.T) {
	w := newWorld(t)
	for _, v := range []string{`"CPU"`, `"HIGH_MEMORY"`, `{"compute_resource": "GPU"}`, "null"} {
		request := spoil(t, fullRequest, "/compute_resource", v)
		id := want[registry.RunID](w, w.do(w.tokens[auth.Trainer], "POST", "/train", request), http.StatusOK)
		var kept map[string]json.RawMessage
		if err := json.Unmarshal(w.run(id).Request, &kept); err != nil || string(kept["compute_resource"]) != strings.ReplaceAll(v, " ", "") {
			t.Errorf("%s is kept as %s, %v", v, kept["compute_resource"], err)
		}
	}
	const at = "/compute_resource"
	for v, want := range map[string]string{
		`{}`: at + at, `{"compute_resource":"TPU"}`: at + at, `{"compute_resource":7}`: at + at, `{"compute_resource":{}}`: at + at,
		`{"compute_resource":"GPU","gpus":2}`: at + "/gpus",
	} {
		if got := w.refusedAt(spoil(t, fullRequest, at, v)); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: faults at %q", v, got)
		}
	}
	for _, v := range []int{-100, 0, 100} {
		if rec := w.do(w.tokens[auth.Trainer], "POST", "/train", spoil(t, fullRequest, "/priority", fmt.Sprint(v))); rec.Code != http.StatusOK {
			t.Errorf("priority %d: %d %s", v, rec.Code, rec.Body)
		}
	}
}
