package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/signalbox-ml/signalbox/deploy/bench/internal/figures"
)

// least is what the bare server's processor time is to be of ours.
const least = 0.45

// comparison is one form of requests, to both servers in turns.
type comparison struct {
	goal, what string
	form       form
	conns      int
	bareToken  string
	asked      bool // the goal is about this one
}

// single is I1: an event in a request of its own.
func (b *bench) single(ctx context.Context) error {
	return b.compare(ctx, "single", []comparison{
		{goal: "I1", what: "one event, binary mode", form: binary, conns: 64, asked: true},
		{goal: "I1", what: "one event, structured mode (bare: the body as it is)", form: structured, conns: 64},
	})
}

// batch is I2: a hundred events in a request.
func (b *bench) batch(ctx context.Context) error {
	return b.compare(ctx, "batches", []comparison{
		{goal: "I2", what: "batches of 100 (bare: reads the body, and has the 100 records already)", form: batched, conns: 16, asked: true},
		{goal: "I2", what: "batches of 100 (bare: cuts the body with encoding/json)", form: batched, conns: 16, bareToken: tokenCut},
	})
}

// compare loads the bare server and Signalbox in turns.
func (b *bench) compare(ctx context.Context, name string, list []comparison) (err error) {
	ours, stopOurs, err := b.serve(ctx, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopOurs()) }()
	bare, stopBare, err := b.bare(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopBare()) }()
	var ids atomic.Int64
	series := make([]figures.Series, len(list))
	for round := range b.rounds + 1 {
		for i, c := range list {
			other := bare
			if c.bareToken != "" {
				other.token = c.bareToken
			}
			for who, t := range map[string]target{"bare": other, "ours": ours} {
				got, err := b.closed(ctx, t, c.form, c.conns, &ids, nil)
				if err != nil {
					return err
				}
				if round == 0 { // connections, buffers and Kafka's own code are cold
					series[i] = figures.Series{}
					continue
				}
				series[i].Add(who, got.perEvent())
				series[i].Add(who+" rate", got.rate())
				series[i].Add(who+" p50", got.p50)
				series[i].Add(who+" p99", got.p99)
			}
		}
	}
	for i, c := range list {
		b.compared(c, series[i].Medians())
	}
	b.report.Add(figures.Row{Goal: list[0].goal, What: "most memory", Numerator: figures.Mebibytes(float64(figures.Peak(bare.pid))),
		Denominator: figures.Mebibytes(float64(figures.Peak(ours.pid)))})
	return nil
}

// compared adds the rows of a comparison. The ratio is the bare server's share: the rest is what we do beyond it.
func (b *bench) compared(c comparison, m map[string]float64) {
	ratio := m["bare"] / m["ours"]
	row := figures.Row{Goal: c.goal, What: c.what + fmt.Sprintf(", %d connections", c.conns), Numerator: fmt.Sprintf("%.2f us an event: net/http and franz-go", m["bare"]),
		Denominator: fmt.Sprintf("%.2f us: `serve control`", m["ours"]), Ratio: ratio}
	if c.asked {
		row.Limit, row.Met = fmt.Sprintf(">= %.2f", least), ratio >= least
	}
	speed := func(who string) string {
		return fmt.Sprintf("%.0f events/s, %.1f ms p50, %.1f ms p99", m[who+" rate"], m[who+" p50"], m[who+" p99"])
	}
	b.report.Add(row, figures.Row{Goal: c.goal, What: "the same: with load generator and Kafka on the same cores", Numerator: speed("bare"), Denominator: speed("ours")})
}
