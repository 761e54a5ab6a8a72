package training

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
)

func TestTrainAnswersWithTheRunID(t *testing.T) {
	w := newWorld(t)
	rec := w.do(w.tokens[auth.Trainer], "POST", "/train", goodRequest)
	id := want[registry.RunID](w, rec, http.StatusOK)
	if rec.Body.String() != `"`+id.String()+`"`+"\n" || rec.Header().Get("Location") != "/v1/runs/"+id.String() {
		t.Errorf("answer %q, %v", rec.Body, rec.Header())
	}
	run := w.run(id)
	if run.State != registry.RunRequested || run.Model != "flight-delay" || run.Dataset != w.dataset.ID {
		t.Errorf("run %+v", run)
	}
	var kept map[string]any
	if err := json.Unmarshal(run.Request, &kept); err != nil || kept["my_own"] == nil {
		t.Errorf("request %s, %v: an unknown member was dropped", run.Request, err)
	}
	if !strings.Contains(string(run.Request), w.dataset.ID.String()) {
		t.Error("the request does not name the dataset that was newest")
	}
}

func TestIdempotencyKey(t *testing.T) {
	w := newWorld(t)
	first := w.requestRun("Idempotency-Key", "k1")
	if again := w.requestRun("Idempotency-Key", "k1"); again != first {
		t.Errorf("the same key gave %s and %s", first, again)
	}
	// What the first request named may be gone; its repeat is still the same request.
	rec := w.do(w.tokens[auth.Trainer], "POST", "/train", `{"model_name":"BAD"}`, "Idempotency-Key", "k1")
	if again := want[registry.RunID](w, rec, http.StatusOK); again != first {
		t.Errorf("a repeat was judged again: %s", again)
	}
	if other := w.requestRun("Idempotency-Key", "k2"); other == first {
		t.Error("another key gave the same run")
	}
	rec = w.do(w.tokens[auth.Admin], "POST", "/train", goodRequest, "Idempotency-Key", "k1")
	if other := want[registry.RunID](w, rec, http.StatusOK); other == first {
		t.Error("somebody else's key gave the same run")
	}
	if a, b := w.requestRun(), w.requestRun(); a == b {
		t.Error("two requests without a key are one run")
	}
	if p := want[problem](w, w.do(w.tokens[auth.Trainer], "POST", "/train", goodRequest, "Idempotency-Key", strings.Repeat("x", 256)), 400); p.Code != "bad_idempotency_key" {
		t.Errorf("long key: %+v", p)
	}
}

func TestMalformedBodies(t *testing.T) {
	w := newWorld(t)
	for body, status := range map[string]int{
		"": 400, "{": 400, "nonsense": 400, `{"a":1,"a":2}`: 400, `{} {}`: 400, `[]`: 422, `"x"`: 422,
		`{"model_name":"` + strings.Repeat("x", registry.MaxRequest) + `"}`: 413,
	} {
		if rec := w.do(w.tokens[auth.Trainer], "POST", "/train", body); rec.Code != status {
			t.Errorf("%.40q: status %d, want %d: %.200s", body, rec.Code, status, rec.Body)
		}
	}
}

// change returns goodRequest with members replaced: pairs of a dot-separated path and JSON, "" to remove.
func change(t *testing.T, pairs ...string) string {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal([]byte(goodRequest), &doc); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(pairs); i += 2 {
		at, steps := doc, strings.Split(pairs[i], ".")
		for _, step := range steps[:len(steps)-1] {
			at = at[step].(map[string]any)
		}
		last := steps[len(steps)-1]
		if pairs[i+1] == "" {
			delete(at, last)
			continue
		}
		at[last] = json.RawMessage(pairs[i+1])
	}
	b, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFaultsOfARequest(t *testing.T) {
	tests := []struct {
		name     string
		change   []string
		pointers []string
	}{
		{"model name", []string{"model_name", `"Fraud Model"`}, []string{"/model_name"}},
		{"model name missing", []string{"model_name", ""}, []string{"/model_name"}},
		{"types of the head", []string{"owner", "1", "project", "[]", "trainer", "{}"}, []string{"/owner", "/project", "/trainer"}},
		{"compute class", []string{"compute_resource", `"TPU"`}, []string{"/compute_resource"}},
		{"no data", []string{"data", ""}, []string{"/data"}},
		{"data of another type", []string{"data", `"x"`}, []string{"/data"}},
		{"no features", []string{"data.features", "[]"}, []string{"/data/features"}},
		{"features of another type", []string{"data.features", "{}"}, []string{"/data/features"}},
		{"unknown dataset", []string{"data.features", `[{"dataset":"nope@latest"}]`}, []string{"/data/features/0/dataset"}},
		{"dataset without latest", []string{"data.features", `[{"dataset":"flights"}]`}, []string{"/data/features/0/dataset"}},
		{"two sources in one", []string{"data.features", `[{"dataset":"flights@latest","path":"s3://signalbox/data/x"}]`}, []string{"/data/features/0"}},
		{"no source in one", []string{"data.features", `[{"names":["a"]}]`}, []string{"/data/features/0"}},
		{"misspelt member", []string{"data.features", `[{"dataset":"flights@latest","nmaes":["a"]}]`}, []string{"/data/features/0/nmaes"}},
		{"unknown name", []string{"data.features", `[{"dataset":"flights@latest","names":["carrier","delay","late","event_time","x"]}]`}, []string{"/data/features/0/names/4"}},
		{"column that was not asked for", []string{"data.features", `[{"dataset":"flights@latest","names":["carrier","late","event_time"]}]`}, []string{"/train/classifier_features/1"}},
		{"columns", []string{"data.date_column", `"no"`, "train.label", `"no"`, "train.classifier_features", `["none","delay"]`}, []string{"/data/date_column", "/train/classifier_features/0", "/train/label"}},
		{"time as a feature", []string{"train.classifier_features", `["delay","event_time"]`}, []string{"/train/classifier_features/1"}},
		{"no workflow", []string{"train.workflow_name", `"Nobody"`}, []string{"/train/workflow_name"}},
		{"no train", []string{"train", ""}, []string{"/train"}},
		{"empty train", []string{"train", "{}"}, []string{"/train/classifier_features", "/train/label", "/train/workflow_name"}},
		{"custom params", []string{"train.custom_params", "[]"}, []string{"/train/custom_params"}},
		{"sampling function", []string{"data.holdout_sampling", `{"sampling_function":"NONE"}`}, []string{"/data/holdout_sampling/sampling_function"}},
		{"sampling without options", []string{"data.holdout_sampling", `{"sampling_function":"HASH"}`}, []string{"/data/holdout_sampling/hash_sampling"}},
		{"fraction", []string{"data.holdout_sampling", `{"sampling_function":"RANDOM","random_sampling":{"fraction":1,"seed":-1}}`},
			[]string{"/data/holdout_sampling/random_sampling/fraction", "/data/holdout_sampling/random_sampling/seed"}},
		{"column of a hash", []string{"data.holdout_sampling", `{"sampling_function":"HASH","hash_sampling":{"fraction":0.1,"column":"x"}}`},
			[]string{"/data/holdout_sampling/hash_sampling/column"}},
		{"empty range", []string{"data.holdout_sampling.date_range_sampling", `{}`}, []string{"/data/holdout_sampling/date_range_sampling"}},
		{"range backwards", []string{"data.holdout_sampling.date_range_sampling", `{"start_date":"2019-01-01","end_date":"2018-10-01"}`},
			[]string{"/data/holdout_sampling/date_range_sampling/end_date"}},
		{"bad dates", []string{"data.holdout_sampling.date_range_sampling", `{"start_date":"soon","end_date":7}`},
			[]string{"/data/holdout_sampling/date_range_sampling/end_date", "/data/holdout_sampling/date_range_sampling/start_date"}},
		{"bad span", []string{"data.holdout_sampling.date_range_sampling", `{"last":"1 week"}`}, []string{"/data/holdout_sampling/date_range_sampling/last"}},
		{"span and dates", []string{"data.holdout_sampling.date_range_sampling", `{"last":"7d","end_date":"2018-10-01"}`}, []string{"/data/holdout_sampling/date_range_sampling/last"}},
		{"no date column", []string{"data.date_column", ""}, []string{"/data/holdout_sampling/date_range_sampling/date_column"}},
		{"filter", []string{"data.filters", `[{"feature_name":"x","predicate":"Like"},{"feature_name":"carrier","predicate":"IsIn","feature_value":{"string_val":"US"}}]`},
			[]string{"/data/filters/0/feature_name", "/data/filters/0/predicate", "/data/filters/1/feature_value/string_val"}},
		{"filter without value", []string{"data.filters", `[{"feature_name":"delay","predicate":"Gt"}]`}, []string{"/data/filters/0/feature_value"}},
		{"filter with two values", []string{"data.filters", `[{"feature_name":"delay","predicate":"Gt","feature_value":{"int_val":1,"float_val":2}}]`}, []string{"/data/filters/0/feature_value"}},
		{"filter of another type", []string{"data.filters", `[{"feature_name":"delay","predicate":"Gt","feature_value":{"int_val":"x"}}]`}, []string{"/data/filters/0/feature_value/int_val"}},
		{"filter with a bad date", []string{"data.filters", `[{"feature_name":"event_time","predicate":"Gt","feature_value":{"date_val":"x"}}]`}, []string{"/data/filters/0/feature_value/date_val"}},
		{"everything at once", []string{"model_name", `"X"`, "compute_resource", `"TPU"`, "train.workflow_name", `"Nobody"`, "train.label", `"no"`, "data.filters", `[{}]`},
			[]string{"/compute_resource", "/data/filters/0/feature_name", "/data/filters/0/predicate", "/model_name", "/train/label", "/train/workflow_name"}},
	}
	w := newWorld(t)
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			rec := w.do(w.tokens[auth.Trainer], "POST", "/train", change(t, tc.change...))
			p := want[problem](w, rec, http.StatusUnprocessableEntity)
			var got []string
			for _, f := range p.Errors {
				got = append(got, f.Pointer)
			}
			if !slices.Equal(got, tc.pointers) {
				t.Errorf("faults at %q, want %q: %s", got, tc.pointers, p.Detail)
			}
		})
	}
	all, err := w.reg.Runs(t.Context(), registry.RunFilter{})
	if err != nil || len(all) != 0 {
		t.Errorf("%d runs were created, %v", len(all), err)
	}
}

func TestGoodRequests(t *testing.T) {
	w := newWorld(t)
	w.put("data/one.parq", "x")
	w.put("data/many/a.parquet", "x")
	for name, pairs := range map[string][]string{
		"talk's range":  {"data.holdout_sampling.date_range_sampling", `{"date_column":"event_time","start_date":"2018-10-01","end_date":"2019-01-01"}`},
		"random":        {"data.holdout_sampling", `{"sampling_function":"RANDOM","random_sampling":{"fraction":0.2,"seed":3}}`},
		"hash":          {"data.holdout_sampling", `{"sampling_function":"HASH","hash_sampling":{"fraction":0.2,"column":"carrier","salt":"s"}}`},
		"stratified":    {"data.holdout_sampling", `{"sampling_function":"STRATIFIED","stratified_sampling":{"fraction":0.2,"column":"late"}}`},
		"no holdout":    {"data.holdout_sampling", ""},
		"no owner":      {"owner", ""},
		"class":         {"compute_resource", `"GPU"`},
		"filters":       {"data.filters", `[{"feature_name":"carrier","predicate":"IsIn","feature_value":{"string_vals":["US","CA"]}},{"feature_name":"delay","predicate":"IsNull"},{"feature_name":"late","predicate":"Eq","feature_value":{"bool_val":true}}]`},
		"by digest":     {"data.features", `[{"dataset":"` + w.dataset.ID.String() + `","names":["carrier","delay","late","event_time"]}]`},
		"path":          {"data.features", `[{"names":["anything"],"path":"s3://signalbox/data/one.parq","source":"s3"}]`, "train.label", `"unknown"`},
		"prefix":        {"data.features", `[{"path":"s3://signalbox/data/many/"}]`},
		"two sources":   {"data.features", `[{"dataset":"flights@latest"},{"path":"s3://signalbox/data/many"}]`, "train.classifier_features", `["carrier","from_the_path"]`},
		"own in train":  {"train.my_own", `{"deep":[{}]}`},
		"workflow name": {"train.workflow_name", `"flight-delay"`},
	} {
		if rec := w.do(w.tokens[auth.Trainer], "POST", "/train", change(t, pairs...)); rec.Code != http.StatusOK {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
	}
}

// TestPathsStayInTheStore checks that nothing that a caller names is read but what lies under data/ of our bucket.
func TestPathsStayInTheStore(t *testing.T) {
	w := newWorld(t)
	w.put("runs/secret", "x")
	for _, path := range []string{
		"s3://other/data/x.parq", "s3://signalbox/runs/secret", "s3://signalbox/data/../runs/secret", "s3://signalbox/data/", "s3://signalbox/data",
		"http://169.254.169.254/latest", "file:///etc/passwd", "/etc/passwd", "data/x.parq", "s3://signalbox/data//x", "s3://signalbox/data/absent",
		`s3://signalbox/data/a\\b`,
	} {
		rec := w.do(w.tokens[auth.Trainer], "POST", "/train", change(t, "data.features", `[{"path":"`+path+`"}]`))
		p := want[problem](w, rec, http.StatusUnprocessableEntity)
		if len(p.Errors) != 1 || p.Errors[0].Pointer != "/data/features/0/path" {
			t.Errorf("%s: %+v", path, p.Errors)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(goodRequest)
	f.Add(`{"data":{"features":[null],"filters":[{"feature_value":[]}],"holdout_sampling":[]},"train":[]}`)
	f.Add(`{"data":{"holdout_sampling":{"sampling_function":"DATE_RANGE","date_range_sampling":{"last":"9d"}}}}`)
	f.Fuzz(func(t *testing.T, body string) {
		w := newWorld(t)
		rec := w.do(w.tokens[auth.Trainer], "POST", "/train", body)
		if rec.Code >= 500 {
			t.Errorf("%q: %d %s", body, rec.Code, rec.Body)
		}
	})
}
