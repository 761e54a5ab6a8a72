package main

import (
	"context"
	"fmt"
	"os"

	"github.com/signalbox-ml/signalbox/deploy/bench/internal/figures"
	"github.com/signalbox-ml/signalbox/deploy/examples/flights"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/schema"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// judged is how many events a round judges: enough for a clock that ticks a hundred times a second.
const judged = 300_000

// validation is I3: what the envelope and the data's schema cost together against the envelope alone, in this process.
func (b *bench) validation(context.Context) error {
	s, err := departures()
	if err != nil {
		return err
	}
	var texts [][]byte
	for i := range batchSize {
		texts = append(texts, []byte(document(i)))
	}
	all := figures.Series{}
	for range b.rounds {
		for name, check := range map[string]func([]byte) error{"alone": func([]byte) error { return nil }, "both": s.Check} {
			before := figures.CPU(os.Getpid())
			for i := range judged {
				ev, err := events.ParseJSON(texts[i%len(texts)])
				if err == nil {
					err = check(ev.DataEncoded)
				}
				if err != nil {
					return err
				}
			}
			all.Add(name, float64((figures.CPU(os.Getpid())-before).Nanoseconds())/judged)
		}
	}
	m := all.Medians()
	ratio := m["both"] / m["alone"]
	b.report.Add(figures.Row{Goal: "I3", What: fmt.Sprintf("envelope and schema of an event of %d bytes", len(texts[0])),
		Numerator: fmt.Sprintf("%.2f us", m["both"]/1e3), Denominator: fmt.Sprintf("%.2f us: the envelope alone", m["alone"]/1e3),
		Ratio: ratio, Limit: "<= 2.00", Met: ratio <= 2})
	return nil
}

// departures is the schema of the events of this benchmark.
func departures() (*schema.Schema, error) {
	text, err := flights.Specs.ReadFile("specs/stream.yaml")
	if err != nil {
		return nil, err
	}
	docs, err := spec.Parse(text)
	if err != nil {
		return nil, err
	}
	stream, err := spec.Read[spec.Stream](docs[0].Spec)
	if err != nil {
		return nil, err
	}
	return schema.Compile(stream.Types[eventType].Schema)
}
