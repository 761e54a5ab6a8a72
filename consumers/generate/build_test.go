//go:build cgo

package generate_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/generate"
	"github.com/signalbox-ml/signalbox/consumers/generate/duckengine"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// From the archiver's files to registered datasets, with DuckDB.
func TestDatasetsFromTheArchive(t *testing.T) {
	w := newWorld()
	w.declare(t, "delays", flights())
	w.archive(t, 0, broker(1), hours(0, 8)...)
	w.archive(t, 1, broker(2), hours(8, 10)...)
	w.archive(t, 0, broker(3), hours(8, 15)...) // hours 8 and 9 are delivered twice
	w.idle(t, 1, broker(3))
	_, stop := start(t, w.config(t, duckengine.Engine{}))
	eventually(t, "two datasets", func() bool { return len(w.datasets(t)) == 2 })
	stop()
	for i, d := range w.datasets(t) {
		if want := int64(6 * (i + 1)); d.Rows != want || len(d.Parts) != 1 || d.Parts[0].Rows != want {
			t.Errorf("dataset to %s: %d rows in parts %+v, want %d", d.End, d.Rows, d.Parts, want)
		}
		if !d.Watermark.Equal(d.End.Add(2 * time.Hour)) {
			t.Errorf("watermark = %s, want what the window needed: its end and the maturity", d.Watermark)
		}
		want := []manifest.Column{
			{Name: "event_time", Type: "timestamp"}, {Name: "event_id", Type: "string"}, {Name: "flight", Type: "string"},
			{Name: "origin", Type: "string"}, {Name: "wind", Type: "number", Nullable: true}, {Name: "late", Type: "boolean"},
		}
		if fmt.Sprint(d.Columns) != fmt.Sprint(want) || d.Label != "late" {
			t.Errorf("columns = %v, label %q\nwant %v", d.Columns, d.Label, want)
		}
		body, attrs, err := w.bucket.Get(t.Context(), d.Parts[0].Key, bucket.Range{})
		check(t, err)
		b, err := io.ReadAll(body)
		check(t, err)
		if cas.Sum(b) != d.Parts[0].Digest || attrs.Size != d.Parts[0].Bytes {
			t.Errorf("the stored part is not the one of the manifest")
		}
	}
}

// A later build sees more files, among them late events, and gives the same rows: the window had settled.
func TestSettledWindowsDoNotChange(t *testing.T) {
	w := newWorld()
	w.declare(t, "delays", flights())
	w.archive(t, 0, broker(1), hours(0, 9)...)
	build := func() generate.Build {
		g, err := generate.New(w.config(t, duckengine.Engine{}))
		check(t, err)
		b, err := g.BuildWindow(t.Context(), "delays", day(0), day(6), true)
		check(t, err)
		return b
	}
	before := build()
	w.archive(t, 0, broker(2),
		report{"flight.departed", "dlate", day(3), day(9), `{"id":"late","origin":"EWR"}`},
		report{"flight.arrived", "alate", day(4), day(9), `{"id":"f3","delay":99}`},
		report{"weather.observed", "wlate", day(2), day(9), `{"origin":"EWR","wind":99}`},
		report{"flight.departed", "df3", day(3.5), day(9), `{"id":"f3","origin":"again"}`},
	)
	after := build()
	if before.Manifest.Plan == after.Manifest.Plan {
		t.Error("both builds have one plan although the files differ")
	}
	if before.Manifest.Parts[0].Digest != after.Manifest.Parts[0].Digest {
		t.Error("late events changed a settled window")
	}
	c := after.Checks
	if c.Rows != 6 || c.SpineRows != 6 || c.LabelCoverage() != 1 || c.NullShare("wind") != 0 || c.Lead["observed"] != -(10*time.Minute).Microseconds() {
		t.Errorf("checks = %+v, want 6 rows, all with label and wind known 10 minutes before", c)
	}
}

// The parts are in the bucket, the registration is not: the next process must arrive at the same dataset.
func TestCrashBeforeRegistering(t *testing.T) {
	w := newWorld()
	w.declare(t, "delays", flights())
	w.archive(t, 0, broker(1), hours(0, 9)...)
	cfg := w.config(t, duckengine.Engine{})
	crash := errors.New("crash")
	var promised manifest.Dataset
	cfg.Publish = func(_ context.Context, m manifest.Dataset) (registry.Dataset, bool, error) {
		promised = m
		return registry.Dataset{}, false, crash
	}
	g, err := generate.New(cfg)
	check(t, err)
	if _, err := g.BuildWindow(t.Context(), "delays", day(0), day(6), true); !errors.Is(err, crash) {
		t.Fatalf("err = %v, want the crash", err)
	}
	_, stop := start(t, w.config(t, duckengine.Engine{}))
	eventually(t, "a dataset", func() bool { return len(w.datasets(t)) == 1 })
	stop()
	want, err := promised.Encode()
	check(t, err)
	got, err := w.datasets(t)[0].Encode()
	check(t, err)
	if string(got) != string(want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	parts := 0
	for _, err := range w.bucket.List(t.Context(), "datasets/") {
		check(t, err)
		parts++
	}
	if parts != 1 {
		t.Errorf("%d objects under datasets/, want 1", parts)
	}
}

func TestSpecErrorsReachTheUser(t *testing.T) {
	w := newWorld()
	d := flights()
	d.Spine.Select["height"] = "altitude"
	w.declare(t, "delays", d)
	w.archive(t, 0, broker(1), hours(0, 9)...)
	g, err := generate.New(w.config(t, duckengine.Engine{}))
	check(t, err)
	_, err = g.BuildWindow(t.Context(), "delays", time.Time{}, time.Time{}, true)
	var e *generate.EngineError
	if !errors.As(err, &e) || e.Kind != generate.KindSpec {
		t.Errorf("err = %v, want one that blames the spec", err)
	}
}
