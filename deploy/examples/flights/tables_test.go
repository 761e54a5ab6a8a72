package flights

import (
	"testing"
	"testing/fstest"
	"time"
)

func load(t *testing.T) Tables {
	t.Helper()
	tables, err := Load(TwoMonths())
	if err != nil {
		t.Fatal(err)
	}
	return tables
}

func TestLoadTwoMonths(t *testing.T) {
	tables := load(t)
	const departures, observations = 50173, 4236
	if len(tables.Flights) != departures || len(tables.Weather) != observations {
		t.Fatalf("%d flights and %d observations, want %d and %d", len(tables.Flights), len(tables.Weather), departures, observations)
	}
	ids := map[string]bool{}
	for _, f := range tables.Flights {
		if ids[f.ID] {
			t.Fatalf("flight id %s twice", f.ID)
		}
		ids[f.ID] = true
		if got := f.Departure.Sub(f.ScheduledDeparture).Minutes(); got != f.DepartureDelay {
			t.Fatalf("%s: departs %v minutes late, table says %v", f.ID, got, f.DepartureDelay)
		}
	}
}

// The first row of the table: UA 1545 to Houston, off at 5:17 in New York, in at 8:30 in Houston, 227 minutes in the air.
func TestArrivalIsInTheZoneOfTheDestination(t *testing.T) {
	f := load(t).Flights[0]
	want := time.Date(2013, 1, 1, 14, 30, 0, 0, time.UTC)
	if f.ID != "UA1545-EWR-20130101T1015Z" || !f.Arrival.Equal(want) || f.ArrivalDelay != 11 {
		t.Fatalf("%s arrives %v, %v minutes late; want %v and 11", f.ID, f.Arrival, f.ArrivalDelay, want)
	}
}

func TestNoFlightIsFasterThanItsAirTime(t *testing.T) {
	for _, f := range load(t).Flights {
		if f.Arrival.IsZero() || f.AirTime == nil {
			continue
		}
		if took := f.Arrival.Sub(f.Departure).Minutes(); took < *f.AirTime-1 || took > *f.AirTime+300 {
			t.Errorf("%s: %v minutes from gate to gate, %v in the air", f.ID, took, *f.AirTime)
		}
	}
}

func TestLoadNamesTheLineThatIsWrong(t *testing.T) {
	dir := fstest.MapFS{"airports.csv.gz": {Data: []byte("not gzip")}}
	if _, err := Load(dir); err == nil {
		t.Fatal("a broken table was accepted")
	}
}
