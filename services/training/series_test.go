package training

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
)

func (w *world) figures(id registry.RunID, query string) figures {
	w.t.Helper()
	return want[figures](w, w.do(w.tokens[auth.Viewer], "GET", "/v1/runs/"+id.String()+"/metrics"+query, ""), http.StatusOK)
}

func TestSeries(t *testing.T) {
	w := newWorld(t)
	id, token := w.queued()
	if body := w.do(w.tokens[auth.Viewer], "GET", "/v1/runs/"+id.String()+"/metrics", "").Body.String(); !strings.Contains(body, `"series":{}`) {
		t.Errorf("before: %s", body)
	}
	first := `{"name":"auc","value":0.5,"step":0,"at":"2026-11-23T14:00:00Z"}` + "\n" +
		`{"at":"2026-11-23T15:00:00.123456+01:00","name":"lr.Head-1","value":-1e-9}` + "\n"
	w.wantKept(w.chunk(token, id, "series", 0, first), len(first))
	second := `{"name":"auc","value":1,"step":9007199254740992,"at":"2026-11-23T14:00:01Z"}` // without an end
	w.wantKept(w.chunk(token, id, "series", 2, second), len(second))
	body := w.do(w.tokens[auth.Viewer], "GET", "/v1/runs/"+id.String()+"/metrics", "").Body.String()
	series := `"series":{"auc":[{"step":0,"value":0.5,"at":"2026-11-23T14:00:00Z"},{"step":9007199254740992,"value":1,"at":"2026-11-23T14:00:01Z"}],` +
		`"lr.Head-1":[{"value":-1e-9,"at":"2026-11-23T14:00:00.123456Z"}]}`
	if !strings.Contains(body, series) {
		t.Errorf("metrics %s want %s", body, series)
	}
	if got := w.keys(registry.AttemptPrefix(id, 1) + seriesDir + "/"); len(got) != 2 || !strings.HasSuffix(got[1], "/1/series.d/00000002") {
		t.Errorf("keys %q", got)
	}

	if _, err := w.reg.RetryRun(t.Context(), id, 1, "", "lost"); err != nil {
		t.Fatal(err)
	}
	if f := w.figures(id, ""); f.Attempt != 2 || len(f.Series) != 0 {
		t.Errorf("newest attempt: %+v", f)
	}
	if f := w.figures(id, "?attempt=1"); f.Attempt != 1 || len(f.Series["auc"]) != 2 {
		t.Errorf("first attempt: %+v", f)
	}
	for _, bad := range []string{"0", "3", "x"} {
		if rec := w.do(w.tokens[auth.Viewer], "GET", "/v1/runs/"+id.String()+"/metrics?attempt="+bad, ""); rec.Code != 400 {
			t.Errorf("attempt %s: %d", bad, rec.Code)
		}
	}
}

func TestBadSeries(t *testing.T) {
	w := newWorld(t)
	id, token := w.queued()
	line := func(pairs ...string) string {
		return strings.NewReplacer(pairs...).Replace(`{"name":"auc","value":0.5,"step":3,"at":"2026-11-23T14:00:00Z"}`)
	}
	for name, tc := range map[string]struct {
		body string
		at   []string
	}{
		"no name":            {line(`"name":"auc",`, ""), []string{"/0/name"}},
		"empty name":         {line("auc", ""), []string{"/0/name"}},
		"blank in a name":    {line("auc", "a c"), []string{"/0/name"}},
		"U+0000":             {line("auc", `a\u0000`), []string{"/0/name"}},
		"long name":          {line("auc", strings.Repeat("x", 101)), []string{"/0/name"}},
		"name of a number":   {line(`"auc"`, "7"), []string{"/0/name"}},
		"no value":           {line(`"value":0.5,`, ""), []string{"/0/value"}},
		"null":               {line("0.5", "null"), []string{"/0/value"}},
		"NaN":                {line("0.5", "NaN"), []string{"/0"}},
		"infinite":           {line("0.5", "1e999"), []string{"/0/value"}},
		"text":               {line("0.5", `"0.5"`), []string{"/0/value"}},
		"negative step":      {line(`"step":3`, `"step":-3`), []string{"/0/step"}},
		"half a step":        {line(`"step":3`, `"step":0.5`), []string{"/0/step"}},
		"huge step":          {line(`"step":3`, `"step":9007199254740993`), []string{"/0/step"}},
		"no time":            {line(`,"at":"2026-11-23T14:00:00Z"`, ""), []string{"/0/at"}},
		"time without zone":  {line("00Z", "00"), []string{"/0/at"}},
		"day that is none":   {line("11-23", "11-31"), []string{"/0/at"}},
		"comma in a time":    {line("00Z", "00,5Z"), []string{"/0/at"}},
		"short hour":         {line("T14", "T4"), []string{"/0/at"}},
		"year 0":             {line("2026", "0000"), []string{"/0/at"}},
		"year 10000":         {line("2026-11-23T14:00:00Z", "9999-12-31T23:59:59-01:00"), []string{"/0/at"}},
		"unknown member":     {line(`"step"`, `"stp"`), []string{"/0/stp"}},
		"other case":         {line(`"step"`, `"Step"`), []string{"/0/Step"}},
		"no object":          {"[]", []string{"/0"}},
		"no JSON":            {"auc=0.5", []string{"/0"}},
		"blank line":         {line() + "\n\n" + line() + "\n", []string{"/1"}},
		"second and third":   {line() + "\n" + line("auc", "", `"step":3`, `"step":-3`) + "\n" + line("00Z", "") + "\n", []string{"/1/name", "/1/step", "/2/at"}},
		"only an end":        {"\n", []string{"/0"}},
		"two on one line":    {line() + line(), []string{"/0"}},
		"member there twice": {line(`"step":3`, `"value":1`), []string{"/0"}},
	} {
		p := want[problem](w, w.chunk(token, id, "series", 0, tc.body), http.StatusUnprocessableEntity)
		var at []string
		for _, f := range p.Errors {
			at = append(at, f.Pointer)
		}
		if !slices.Equal(at, tc.at) {
			t.Errorf("%s: faults at %q, want %q: %s", name, at, tc.at, p.Detail)
		}
	}
	if got := w.keys(registry.AttemptPrefix(id, 1)); len(got) != 0 {
		t.Errorf("kept %q", got)
	}
	if rec := w.chunk(token, id, "series", 0, strings.Repeat("x", maxSeriesChunk+1)); rec.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("large chunk: %d", rec.Code)
	}
}

func TestSeriesAreThinned(t *testing.T) {
	w := newWorld(t)
	id, token := w.queued()
	const each, chunks = 2500, 5
	for c := range chunks {
		var b strings.Builder
		for i := range each {
			fmt.Fprintf(&b, "{\"name\":\"loss\",\"value\":%d,\"at\":\"2026-11-23T14:00:00Z\"}\n", c*each+i)
		}
		w.wantKept(w.chunk(token, id, "series", c, b.String()), b.Len())
	}
	points := w.figures(id, "").Series["loss"]
	if len(points) != maxPoints || points[0].Value != 0 || points[maxPoints-1].Value != each*chunks-1 {
		t.Fatalf("%d points", len(points))
	}
	for i := 1; i < len(points); i++ {
		if d := points[i].Value - points[i-1].Value; d != 1 && d != 2 {
			t.Fatalf("point %d is %g behind the one before", i, d)
		}
	}
}

// Whoever follows the figures of a run gets each of them once, also after a cut.
func TestFollowSeries(t *testing.T) {
	w := newWorld(t)
	srv := httptest.NewServer(w.router)
	defer srv.Close()
	id, token := w.queued()
	url := srv.URL + "/v1/runs/" + id.String() + "/metrics"
	line := func(n int) string {
		return fmt.Sprintf(`{"name":"auc","step":%d,"value":0.5,"at":"2026-11-23T14:00:00Z"}`, n)
	}
	f := w.followAt(t.Context(), url, "")
	w.chunk(token, id, "series", 0, line(0)+"\n"+line(1)+"\n")
	f.want(frame{id: "0.1", data: line(0)}, frame{id: "1.0", data: line(1)})
	again := w.followAt(t.Context(), url, "0.1")
	again.want(frame{id: "1.0", data: line(1)})
	w.chunk(token, id, "series", 2, line(2)) // a number may be left out
	for _, one := range []*follower{f, again, w.followAt(t.Context(), url, "1.0")} {
		one.want(frame{id: "3.0", data: line(2)})
	}
	w.report(token, id, "fail", `{"attempt":1,"exception":{"type":"X"}}`, http.StatusOK)
	w.put(registry.ArtifactKey(id, 1, registry.ArtifactLogs), "")
	f.want(frame{typ: "end", data: "failed"})
	w.followAt(t.Context(), url, "9.0").want(frame{typ: "end", data: "failed"})
	for _, bad := range []string{"1", "x.y", "-1.0", "1.-2", "1.2.3"} {
		rec := w.do(w.tokens[auth.Viewer], "GET", "/v1/runs/"+id.String()+"/metrics", "", "Accept", "text/event-stream", "Last-Event-ID", bad)
		if rec.Code != http.StatusBadRequest {
			t.Errorf("id %q: %d", bad, rec.Code)
		}
	}
}

func FuzzCheckSeries(f *testing.F) {
	f.Add([]byte(`{"name":"auc","value":0.5,"step":3,"at":"2026-11-23T14:00:00Z"}` + "\n"))
	f.Add([]byte(`{"name":"a","value":1e999,"at":""}` + "\n[]\n{\"x\":{}}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		err := checkSeries(b)
		for _, fault := range manifest.Faults(err) {
			if fault.Path == "" {
				t.Errorf("%q: %v points nowhere", b, fault)
			}
		}
		if err != nil {
			return
		}
		for _, line := range seriesLines(b) {
			var v struct {
				Name string
				At   time.Time
			}
			if err := json.Unmarshal(line, &v); err != nil || v.Name == "" || v.At.Year() < 1969 {
				t.Errorf("%q was let pass, and is %+v, %v", line, v, err)
			}
		}
	})
}
