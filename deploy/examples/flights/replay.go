package flights

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/signalbox-ml/signalbox/events"
)

// Stream is where the example's events go.
const Stream = "flights"

// The types of the example's events.
const (
	TypeDeparted = "flight.departed"
	TypeArrived  = "flight.arrived"
	TypeWeather  = "weather.observed"
)

// Happening is one event with the flight or the observation that it tells of.
type Happening struct {
	Event events.Event
	// Known is when the event was published: nobody could use it earlier. It is the event's recordedtime.
	Known  time.Time
	Flight *Flight      // of departures and arrivals
	Sky    *Observation // of weather
}

// Departed is the data of TypeDeparted.
type Departed struct {
	FlightID           string    `json:"flight_id"`
	Carrier            string    `json:"carrier"`
	Flight             int       `json:"flight"`
	Origin             string    `json:"origin"`
	Dest               string    `json:"dest"`
	TailNumber         *string   `json:"tail_number"`
	ScheduledDeparture time.Time `json:"scheduled_departure"`
	ActualDeparture    time.Time `json:"actual_departure"`
	DepartureDelay     float64   `json:"departure_delay"` // minutes
	Distance           float64   `json:"distance"`        // miles
}

// Arrived is the data of TypeArrived: the label.
type Arrived struct {
	FlightID      string    `json:"flight_id"`
	Carrier       string    `json:"carrier"`
	Origin        string    `json:"origin"`
	Dest          string    `json:"dest"`
	TailNumber    *string   `json:"tail_number"`
	ActualArrival time.Time `json:"actual_arrival"`
	ArrivalDelay  float64   `json:"arrival_delay"` // minutes
	AirTime       *float64  `json:"air_time"`      // minutes
}

// Happenings returns every event of t in the order in which the world learned of them.
func Happenings(t Tables) ([]Happening, error) {
	out := make([]Happening, 0, 2*len(t.Flights)+len(t.Weather))
	for i := range t.Flights {
		f := &t.Flights[i]
		h, err := departed(f)
		if err != nil {
			return nil, err
		}
		out = append(out, h)
		if f.Arrival.IsZero() {
			continue
		}
		if h, err = arrived(f); err != nil {
			return nil, err
		}
		out = append(out, h)
	}
	for i := range t.Weather {
		h, err := observed(&t.Weather[i])
		if err != nil {
			return nil, err
		}
		out = append(out, h)
	}
	slices.SortStableFunc(out, func(a, b Happening) int {
		return cmp.Or(a.Known.Compare(b.Known), cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Event.ID(), b.Event.ID()))
	})
	return out, nil
}

// rank puts departures behind what was published at the same instant: that was known when the flight left.
func rank(h Happening) int {
	if h.Event.Type() == TypeDeparted {
		return 1
	}
	return 0
}

func departed(f *Flight) (Happening, error) {
	data := Departed{
		FlightID: f.ID, Carrier: f.Carrier, Flight: f.Number, Origin: f.Origin, Dest: f.Dest, TailNumber: tail(f),
		ScheduledDeparture: f.ScheduledDeparture, ActualDeparture: f.Departure, DepartureDelay: f.DepartureDelay,
		Distance: f.Distance,
	}
	// A departure is published as it happens: the prediction is asked for at that moment.
	h, err := happening(TypeDeparted, f.ID, "dep/"+f.ID, f.Departure, f.Departure, data)
	h.Flight = f
	return h, err
}

func arrived(f *Flight) (Happening, error) {
	data := Arrived{
		FlightID: f.ID, Carrier: f.Carrier, Origin: f.Origin, Dest: f.Dest, TailNumber: tail(f),
		ActualArrival: f.Arrival, ArrivalDelay: f.ArrivalDelay, AirTime: f.AirTime,
	}
	id := "arr/" + f.ID
	h, err := happening(TypeArrived, f.ID, id, f.Arrival, f.Arrival.Add(lag(id, time.Minute, 10*time.Minute)), data)
	h.Flight = f
	return h, err
}

func observed(o *Observation) (Happening, error) {
	data := map[string]any{"origin": o.Origin, "observed_at": o.At}
	for name, v := range o.Values {
		data[name] = v
	}
	id := "wx/" + o.Origin + "-" + o.At.Format("20060102T1504Z")
	h, err := happening(TypeWeather, o.Origin, id, o.At, o.At.Add(lag(id, 2*time.Minute, 20*time.Minute)), data)
	h.Sky = o
	return h, err
}

func happening(typ, subject, id string, at, known time.Time, data any) (Happening, error) {
	b, err := json.Marshal(data)
	if err != nil {
		return Happening{}, fmt.Errorf("%s: %w", id, err)
	}
	e, err := events.New(typ, "/airports/new-york", subject, id, at, json.RawMessage(b))
	if err != nil {
		return Happening{}, err
	}
	e.SetExtension("recordedtime", known.UTC().Format(time.RFC3339))
	return Happening{Event: e, Known: known}, nil
}

// lag is how long a report takes to be published: the tables do not say, so it is drawn from the report's id, the same
// in every replay. It makes event time and availability differ, as they do in life.
func lag(id string, least, most time.Duration) time.Duration {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // never fails
	steps := uint64((most-least)/time.Second) + 1
	return least + time.Duration(h.Sum64()%steps)*time.Second
}

func tail(f *Flight) *string {
	if f.Tail == "" {
		return nil
	}
	return &f.Tail
}
