//go:build cgo

package duckengine_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/consumers/generate"
	"github.com/signalbox-ml/signalbox/consumers/generate/compile"
	"github.com/signalbox-ml/signalbox/consumers/generate/duckengine"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// weather is a feature that is observed at one time and published at another.
func weather() spec.Dataset {
	return spec.Dataset{
		Window:    spec.Window{Start: at(0), Every: days(1)},
		Available: spec.AvailableRecorded,
		Sources: map[string]spec.Source{
			"departed": {Stream: "flights", Type: "departed", Fields: map[string]string{"origin": "string", "id": "string"}},
			"arrived":  {Stream: "flights", Type: "arrived", Fields: map[string]string{"id": "string", "delay": "number"}},
			"observed": {Stream: "flights", Type: "observed", Fields: map[string]string{"origin": "string", "wind": "number"}},
		},
		Spine:    spec.Spine{From: "departed", Select: map[string]string{"origin": "origin", "flight": "id"}},
		Features: []spec.Join{{From: "observed", Match: map[string]string{"origin": "origin"}, Select: map[string]string{"wind": "wind"}}},
		Label: &spec.Join{From: "arrived", Match: map[string]string{"id": "flight"}, Maturity: days(1),
			Select: map[string]string{"late": "delay >= 15"}},
	}
}

func departed(id string, second int) record {
	return record{ID: "dep" + id, Source: "/t", Type: "departed", Time: at(second), Append: at(second), Data: `{"origin":"EWR","id":"` + id + `"}`}
}

func arrived(id string, second int, delay string) record {
	return record{ID: "arr" + id, Source: "/t", Type: "arrived", Time: at(second), Append: at(second), Data: `{"id":"` + id + `","delay":` + delay + `}`}
}

func observed(id string, second, published int, wind string) record {
	return record{ID: "obs" + id, Source: "/t", Type: "observed", Time: at(second), Recorded: at(published), Append: at(published),
		Data: `{"origin":"EWR","wind":` + wind + `}`}
}

func every(file string) compile.Inputs {
	return compile.Inputs{"departed": {file}, "arrived": {file}, "observed": {file}}
}

// The observation of second 90 was published at second 120: a join on event time alone trains on what nobody knew.
func TestOneClockLeaks(t *testing.T) {
	file := archive(t, observed("1", 10, 20, "5"), observed("2", 90, 120, "99"), departed("A", 100), departed("B", 130),
		arrived("A", 500, "3"), arrived("B", 600, "20"))
	w := compile.Window{Start: at(0), End: at(1000)}
	got, res := build(t, weather(), every(file), w)
	want := []string{"00:01:40|depA|A|EWR|5|false", "00:02:10|depB|B|EWR|99|true"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if lead := res.Checks.Lead["observed"]; lead != -10e6 {
		t.Errorf("lead = %d µs, want -10 s: flight B left 10 s after its weather was published", lead)
	}

	oneClock := weather()
	oneClock.Sources["observed"] = spec.Source{Stream: "flights", Type: "observed", Fields: map[string]string{"origin": "string", "wind": "number"}}
	file = archive(t, observed("1", 10, 10, "5"), observed("2", 90, 90, "99"), departed("A", 100), departed("B", 130),
		arrived("A", 500, "3"), arrived("B", 600, "20"))
	naive, _ := build(t, oneClock, every(file), w)
	if naive[0] == want[0] {
		t.Error("with publication at once, flight A must see the second observation: else the case above proves nothing")
	}
}

// Whatever the SQL does, a dataset that knows the future is not written.
func TestLeakIsRefused(t *testing.T) {
	file := archive(t, observed("1", 90, 120, "99"), departed("A", 100), arrived("A", 500, "3"))
	r := request(t, weather(), every(file), compile.Window{Start: at(0), End: at(1000)})
	broken := 0
	for i, s := range r.Plan.Statements {
		if strings.Contains(s, `"feature 1"`) && strings.Contains(s, `"#visible"`) {
			r.Plan.Statements[i] = strings.ReplaceAll(s, "epoch_us(available_time)", "0")
			broken++
		}
	}
	if broken != 1 {
		t.Fatalf("broke %d statements, want 1", broken)
	}
	_, err := duckengine.Engine{}.Build(t.Context(), r)
	var e *generate.EngineError
	if !errors.As(err, &e) || e.Kind != generate.KindLeak || !strings.Contains(e.Message, "observed") {
		t.Errorf("err = %v, want a leak of feature observed", err)
	}
}

func TestLabels(t *testing.T) {
	file := archive(t,
		departed("ok", 100), arrived("ok", 200, "15"),
		departed("cancelled", 110),
		departed("early", 120), arrived("early", 119, "20"), // reported before it left: not this flight's
		departed("null", 130), arrived("null", 300, "null"),
		departed("unmatured", 140), arrived("unmatured", 140+24*3600+1, "1"),
		departed("edge", 150), arrived("edge", 150+24*3600, "1"),
		record{ID: "arrlate", Source: "/t", Type: "arrived", Time: at(170), Recorded: at(160 + 24*3600 + 1), Append: at(170),
			Data: `{"id":"late","delay":99}`},
		departed("late", 160), arrived("late", 180, "2"), // the first report was published too late, the second counts
		departed("end", 1000), arrived("end", 1001, "2"), // the window is half open
		departed("before", -1), arrived("before", 1, "2"),
	)
	got, res := build(t, weather(), every(file), compile.Window{Start: at(0), End: at(1000)})
	want := []string{"00:01:40|depok|ok|EWR|-|true", "00:02:30|depedge|edge|EWR|-|false", "00:02:40|deplate|late|EWR|-|false"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	c := res.Checks
	if c.SpineRows != 7 || c.Labelled != 4 || c.NullLabel != 1 || c.Rows != 3 {
		t.Errorf("checks = %+v, want 7 in the spine, 4 labelled, 1 null, 3 rows", c)
	}
	if got := c.NullShare("wind"); got != 1 {
		t.Errorf("null share of wind = %v, want 1", got)
	}
	if got, want := c.LabelCoverage(), 3.0/7; got != want {
		t.Errorf("label coverage = %v, want %v", got, want)
	}
}
