//go:build cgo

package duckengine_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/generate/compile"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// The spec that ships with the flights example, on flights that show every rule of it.
func TestFlightsExample(t *testing.T) {
	d := flightDelay(t)
	dep := func(id string, at time.Time, tail string) record {
		return record{ID: "dep/" + id, Source: "/t", Type: "flight.departed", Time: at, Recorded: at, Append: at, Data: `{"flight_id":"` + id +
			`","carrier":"UA","flight":1545,"origin":"EWR","dest":"IAH","tail_number":` + tail +
			`,"scheduled_departure":"2013-02-03T23:15:00Z","actual_departure":"2013-02-03T23:17:00Z","departure_delay":2,"distance":1400}`}
	}
	arr := func(id string, at, known time.Time, tail, delay string) record {
		return record{ID: "arr/" + id, Source: "/t", Type: "flight.arrived", Time: at, Recorded: known, Append: known, Data: `{"flight_id":"` + id +
			`","carrier":"UA","origin":"EWR","dest":"IAH","tail_number":` + tail + `,"actual_arrival":"2013-02-04T03:00:00Z","arrival_delay":` + delay + `}`}
	}
	sky := func(at, known time.Time, temperature string) record {
		return record{ID: "wx/" + temperature, Source: "/t", Type: "weather.observed", Time: at, Recorded: known, Append: known,
			Data: `{"origin":"EWR","observed_at":"2013-02-03T23:00:00Z","temperature":` + temperature + `,"wind_speed":7,"wind_gust":null,"precipitation":0,"pressure":null,"visibility":10}`}
	}
	noon := time.Date(2013, 2, 3, 12, 0, 0, 0, time.UTC)
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	file := archive(t,
		dep("a", at(0), `"N1"`), arr("a", at(120), at(125), `"N1"`, "14.5"),
		sky(at(60), at(65), "30"), sky(at(120), at(140), "31"),
		dep("b", at(130), `"N1"`), arr("b", at(300), at(305), `"N1"`, "15"), // its aircraft came in 10 minutes ago
		dep("c", at(124), `"N1"`), arr("c", at(200), at(205), `null`, "-3"), // nobody knew yet that it had
		dep("d", at(400), `null`), arr("d", at(500), at(505), `null`, "60"), // no aircraft to match; weather too old
		dep("cancelled", at(140), `"N1"`),
	)
	w := compile.Window{Start: d.Window.Start, End: d.Window.Start.Add(48 * 24 * time.Hour)}
	got, res := build(t, d, compile.Inputs{"departed": {file}, "arrived": {file}, "observed": {file}}, w)
	const flight = "|UA|2|IAH|1400|"
	want := []string{
		"12:00:00|dep/a" + flight + "a|EWR|23|N1|0|-|-|-|-|-|-|-|-|false",
		"14:04:00|dep/c" + flight + "c|EWR|23|N1|0|0|-|30|10|-|7|-|-|false",
		"14:10:00|dep/b" + flight + "b|EWR|23|N1|0|0|-|30|10|-|7|10|14.5|true",
		"18:40:00|dep/d" + flight + "d|EWR|23|-|0|-|-|-|-|-|-|-|-|true",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s", firstDifference(got, want))
	}
	for _, c := range res.Columns {
		if c.Name == "scheduled_hour" && c.Type != manifest.Integer || c.Name == "minutes_since_previous_arrival" && c.Type != manifest.Number {
			t.Errorf("column %s has type %s", c.Name, c.Type)
		}
	}
}

func flightDelay(t *testing.T) spec.Dataset {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "deploy", "examples", "flights", "specs", "dataset.yaml"))
	check(t, err)
	docs, err := spec.Parse(text)
	check(t, err)
	var d spec.Dataset
	check(t, json.Unmarshal(docs[0].Spec, &d))
	check(t, compile.Validate(d))
	return d
}
