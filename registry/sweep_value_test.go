package registry_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
)

// figures is a complete run's first attempt, and what puts its files.
func figures(t *testing.T) (b bench, run registry.Run, put func(name, text string)) {
	t.Helper()
	b, run = running(t)
	run = must(b.CompleteRun(t.Context(), run.ID, 1, made(t, b, run, "tree").ID, map[string]string{
		registry.MetricsFile: registry.ArtifactKey(run.ID, 1, registry.MetricsFile),
	}))(t)
	return b, run, func(name, text string) {
		t.Helper()
		key := registry.AttemptPrefix(run.ID, 1) + name
		must(b.bucket.Put(t.Context(), key, strings.NewReader(text), int64(len(text)), bucket.PutOptions{}))(t)
	}
}

func metric(t *testing.T, b bench, run registry.Run, name string) string {
	t.Helper()
	var words []string
	for _, p := range must(registry.ReadMetric(t.Context(), b.bucket, run, name, nil))(t) {
		step := "-"
		if p.Step != nil {
			step = fmt.Sprint(*p.Step)
		}
		words = append(words, fmt.Sprintf("%s:%g", step, p.Value))
	}
	return strings.Join(words, " ")
}

// The series goes before the score step's figure, and that before the workflow's own.
func TestReadMetric(t *testing.T) {
	b, run, put := figures(t)
	want := func(name, points string) {
		t.Helper()
		if got := metric(t, b, run, name); got != points {
			t.Errorf("%s = %q, want %q", name, got, points)
		}
	}
	want("auc", "")
	put(registry.MetricsFile, `{"metrics":{"auc":0.5,"text":"x","none":null,"own":3},"process":{"auc":9}}`)
	want("auc", "-:0.5")
	put(registry.StepDir+"/score", `{"step":"score","seconds":1,"metrics":{"auc":0.6}}`)
	want("auc", "-:0.6")
	want("own", "-:3")
	want("text", "")
	want("none", "")
	put(registry.SeriesDir+"/00000001", `{"name":"auc","value":0.8,"at":"2026-11-23T14:00:02Z"}`)
	put(registry.SeriesDir+"/00000000", `{"name":"auc","value":0.7,"step":3,"at":"2026-11-23T14:00:00Z"}`+"\n"+`{"name":"loss","value":2,"at":"2026-11-23T14:00:01Z"}`+"\n")
	want("auc", "3:0.7 -:0.8")

	run.State = registry.RunRunning // its end is not there yet
	want("own", "")
	want("loss", "-:2")
	run.Attempt = 2 // what was measured before is another attempt's
	want("auc", "")
	run.Attempt = 0
	want("auc", "")
}

// What was read is not read again: chunks do not change.
func TestSeriesReadsEachChunkOnce(t *testing.T) {
	b, run, put := figures(t)
	put(registry.SeriesDir+"/00000001", `{"name":"auc","value":2,"at":"2026-11-23T15:00:00+01:00"}`)
	var s registry.Series
	read := func() []registry.Point {
		t.Helper()
		if err := s.Read(t.Context(), b.bucket, run.ID, 1); err != nil {
			t.Fatal(err)
		}
		return s.Points()["auc"]
	}
	if got := read(); len(got) != 1 || got[0].At != time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC) {
		t.Errorf("points %+v", got)
	}
	put(registry.SeriesDir+"/00000001", `torn`) // never happens, and would be seen
	put(registry.SeriesDir+"/00000000", `{"name":"auc","value":1,"at":"2026-11-23T14:00:01Z"}`)
	if got := read(); len(got) != 2 || got[0].Value != 1 || got[1].Value != 2 {
		t.Errorf("points %+v, want those of an earlier chunk first", got)
	}
	if _, err := registry.ReadSeries(t.Context(), b.bucket, run.ID, 1); err == nil || !strings.Contains(err.Error(), "series.d/00000001") {
		t.Errorf("a torn chunk: %v", err)
	}
}
