package flights

import (
	"testing"
	"time"
)

func TestHappeningsComeInTheOrderOfKnowledge(t *testing.T) {
	hs, err := Happenings(load(t))
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	late := 0
	for i, h := range hs {
		counts[h.Event.Type()]++
		if i > 0 && h.Known.Before(hs[i-1].Known) {
			t.Fatalf("%s is out of order", h.Event.ID())
		}
		if h.Known.Before(h.Event.Time()) {
			t.Fatalf("%s was known before it happened", h.Event.ID())
		}
		if h.Known.Sub(h.Event.Time()) > 15*time.Minute {
			late++
		}
	}
	if counts[TypeDeparted] != 50173 || counts[TypeWeather] != 4236 || counts[TypeArrived] >= counts[TypeDeparted] {
		t.Fatalf("counts %v", counts)
	}
	if late == 0 {
		t.Fatal("nothing was published late: the two clocks do not differ")
	}
}

func TestHappeningsAreTheSameInEveryReplay(t *testing.T) {
	tables := load(t)
	a, err := Happenings(tables)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Happenings(tables)
	if err != nil {
		t.Fatal(err)
	}
	for i := range a {
		if a[i].Event.String() != b[i].Event.String() {
			t.Fatalf("event %d differs", i)
		}
	}
}

func TestDeskKeepsTheNewestReportNotTheLatest(t *testing.T) {
	d := NewDesk()
	cold, warm := 10.0, 20.0
	noon := time.Date(2013, 1, 1, 12, 0, 0, 0, time.UTC)
	newer := &Observation{Origin: "JFK", At: noon, Values: map[string]*float64{"temperature": &warm}}
	older := &Observation{Origin: "JFK", At: noon.Add(-time.Hour), Values: map[string]*float64{"temperature": &cold}}
	for _, o := range []*Observation{newer, older} { // the older one was published late
		h, err := observed(o)
		if err != nil {
			t.Fatal(err)
		}
		d.See(h)
	}
	row := d.Row(&Flight{Origin: "JFK", Departure: noon.Add(time.Hour), ScheduledDeparture: noon})
	if row.Temperature == nil || *row.Temperature != warm {
		t.Fatalf("temperature %v, want %v", row.Temperature, warm)
	}
	if row = d.Row(&Flight{Origin: "JFK", Departure: noon.Add(4 * time.Hour), ScheduledDeparture: noon}); row.Temperature != nil {
		t.Fatal("weather older than three hours was used")
	}
}
