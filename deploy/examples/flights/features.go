package flights

import (
	"time"
)

// Features is one row of a prediction request, as the model knows it.
type Features struct {
	Carrier                     string   `json:"carrier"`
	Origin                      string   `json:"origin"`
	Dest                        string   `json:"dest"`
	Distance                    float64  `json:"distance"`
	DepartureDelay              float64  `json:"departure_delay"`
	ScheduledHour               int      `json:"scheduled_hour"`
	Weekday                     int      `json:"weekday"`
	Temperature                 *float64 `json:"temperature"`
	WindSpeed                   *float64 `json:"wind_speed"`
	WindGust                    *float64 `json:"wind_gust"`
	Precipitation               *float64 `json:"precipitation"`
	Visibility                  *float64 `json:"visibility"`
	Pressure                    *float64 `json:"pressure"`
	PreviousArrivalDelay        *float64 `json:"previous_arrival_delay"`
	MinutesSincePreviousArrival *float64 `json:"minutes_since_previous_arrival"`
}

const (
	weatherMaxAge = 3 * time.Hour
	arrivalMaxAge = 24 * time.Hour
)

// Desk is a client of the model: it sees the events as they are published, keeps the newest weather of each airport
// and the newest arrival of each aircraft, and asks at each departure with what it knows then. It computes online what
// the dataset's spec computes from the archive; a test holds the two together.
type Desk struct {
	weather  map[string]*Observation
	arrivals map[string]*Flight
}

// NewDesk returns a Desk that has seen nothing.
func NewDesk() *Desk {
	return &Desk{weather: map[string]*Observation{}, arrivals: map[string]*Flight{}}
}

// See takes in one event. Departures change nothing: ask with Row before or after. A late report never replaces a
// newer one.
func (d *Desk) See(h Happening) {
	switch h.Event.Type() {
	case TypeWeather:
		if old := d.weather[h.Sky.Origin]; old == nil || !h.Sky.At.Before(old.At) {
			d.weather[h.Sky.Origin] = h.Sky
		}
	case TypeArrived:
		if h.Flight.Tail == "" {
			return
		}
		if old := d.arrivals[h.Flight.Tail]; old == nil || !h.Flight.Arrival.Before(old.Arrival) {
			d.arrivals[h.Flight.Tail] = h.Flight
		}
	}
}

// Row returns the features of a departing flight, from what has been seen.
func (d *Desk) Row(f *Flight) Features {
	row := Features{
		Carrier: f.Carrier, Origin: f.Origin, Dest: f.Dest, Distance: f.Distance, DepartureDelay: f.DepartureDelay,
		ScheduledHour: f.ScheduledDeparture.Hour(), Weekday: int(f.ScheduledDeparture.Weekday()),
	}
	if w := d.weather[f.Origin]; w != nil && f.Departure.Sub(w.At) <= weatherMaxAge {
		row.Temperature, row.WindSpeed, row.WindGust = w.Values["temperature"], w.Values["wind_speed"], w.Values["wind_gust"]
		row.Precipitation, row.Visibility = w.Values["precipitation"], w.Values["visibility"]
		row.Pressure = w.Values["pressure"]
	}
	if a := d.arrivals[f.Tail]; a != nil && f.Tail != "" && f.Departure.Sub(a.Arrival) <= arrivalMaxAge {
		since := f.Departure.Sub(a.Arrival).Minutes()
		delay := a.ArrivalDelay
		row.PreviousArrivalDelay, row.MinutesSincePreviousArrival = &delay, &since
	}
	return row
}
