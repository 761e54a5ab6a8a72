package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signalbox-ml/signalbox/deploy/bench/internal/figures"
)

const (
	tooMuch     = 3    // times the peak
	goodput     = 0.9  // of the peak, under too much
	peakClients = 32   // connections that send one batch after another: more of them get no more through
	onTime      = 0.95 // of the requests that an open load has to send, for it to be one
)

// overload is I5: three times as many batches as there is room for, that do not wait for answers. The server has one of the two
// cores, so that it is what ends first: load generator and Kafka need less than the other one.
func (b *bench) overload(ctx context.Context) (err error) {
	t, stop, err := b.serve(ctx, "overload", "GOMAXPROCS=1")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	log, err := b.follow(topicOurs)
	if err != nil {
		return err
	}
	defer log.close()
	all := figures.Series{}
	var ids atomic.Int64
	var sum offered
	var missing, acked int
	for round := range b.rounds + 1 {
		var mu sync.Mutex
		var known []int64
		peak, err := b.closed(ctx, t, batched, peakClients, &ids, func(first int64) {
			mu.Lock()
			defer mu.Unlock()
			known = append(known, first)
		})
		if err != nil {
			return err
		}
		rate := tooMuch * peak.rate() / batchSize
		begin, before := time.Now(), figures.CPU(t.pid)
		got, err := b.open(ctx, t, rate, ids.Load())
		if err != nil {
			return err
		}
		busy := (figures.CPU(t.pid) - before).Seconds() / time.Since(begin).Seconds()
		ids.Add(int64(got.planned) * batchSize)
		said := slices.Concat(got.single, each(known), each(got.whole))
		lost, err := log.lacks(ctx, said)
		if err != nil {
			return err
		}
		missing, acked = missing+lost, acked+len(said)
		if err := got.void(); err != nil {
			return err
		}
		if round == 0 {
			continue
		}
		sum.add(got)
		all.Add("peak", peak.rate())
		had := peak.cpu.Seconds() / peak.wall.Seconds()
		all.Add("peak busy", had)
		all.Add("each", float64(got.inTime)/b.span.Seconds()/busy/(peak.rate()/had))
		all.Add("peak p50", peak.p50)
		all.Add("peak p99", peak.p99)
		all.Add("good", float64(got.inTime)/b.span.Seconds())
		all.Add("ratio", float64(got.inTime)/b.span.Seconds()/peak.rate())
		all.Add("busy", busy)
		all.Add("conns", float64(got.conns))
		for name, values := range map[string][]float64{"late": got.late, "taken": got.toSuccess, "refused": got.toRefusal} {
			all.Add(name+" p50", figures.Quantile(values, 0.5))
			all.Add(name+" p99", figures.Quantile(values, 0.99))
		}
	}
	b.overloaded(all.Medians(), sum, missing, acked)
	b.report.Add(figures.Row{Goal: "I5", What: "most memory", Numerator: figures.Mebibytes(float64(figures.Peak(t.pid)))})
	return nil
}

// each names the events of batches by the first ones.
func each(firsts []int64) (ids []int64) {
	for _, first := range firsts {
		for i := range int64(batchSize) {
			ids = append(ids, first+i)
		}
	}
	return ids
}

// void says why a load was no overload.
func (o offered) void() error {
	sent := o.planned - o.starved
	switch {
	case float64(sent) < onTime*float64(o.planned):
		return fmt.Errorf("void: %d of %d requests were sent: the generator is what ends first", sent, o.planned)
	case o.refused == 0:
		return errors.New("void: nothing was refused, so there was no overload")
	}
	return nil
}

func (o *offered) add(more offered) {
	o.planned, o.starved, o.taken, o.refused = o.planned+more.planned, o.starved+more.starved, o.taken+more.taken, o.refused+more.refused
	o.waitless, o.wrong, o.broken = o.waitless+more.waitless, o.wrong+more.wrong, o.broken+more.broken
}

func (b *bench) overloaded(m map[string]float64, sum offered, missing, acked int) {
	times := func(name string) string {
		return fmt.Sprintf("%.0f ms p50, %.0f ms p99", m[name+" p50"], m[name+" p99"])
	}
	row := func(what, numerator, denominator string) figures.Row {
		return figures.Row{Goal: "I5", What: what, Numerator: numerator, Denominator: denominator}
	}
	rate := row("acknowledged under three times the peak's load, batches of 100", fmt.Sprintf("%.0f events/s", m["good"]), fmt.Sprintf("%.0f events/s: the peak", m["peak"]))
	rate.Ratio, rate.Limit, rate.Met = m["ratio"], fmt.Sprintf(">= %.2f", goodput), m["ratio"] >= goodput
	refused := row("refusals without Retry-After", fmt.Sprint(sum.waitless), fmt.Sprintf("%d refusals", sum.refused))
	refused.Limit, refused.Met = "0", sum.waitless == 0
	lost := row("acknowledged, but not in Kafka", fmt.Sprint(missing), fmt.Sprintf("%d events acknowledged", acked))
	lost.Limit, lost.Met = "0", missing == 0
	perCore := row("the same, of each core that the server had", fmt.Sprintf("%.2f cores", m["busy"]), fmt.Sprintf("%.2f cores at the peak", m["peak busy"]))
	perCore.Ratio = m["each"]
	b.report.Add(rate, perCore, refused, lost,
		row("other answers, and none", fmt.Sprintf("%d, %d", sum.wrong, sum.broken), fmt.Sprintf("%d requests, %.0f connections a round", sum.planned-sum.starved, m["conns"])),
		row("from schedule to acknowledgement", times("taken"), times("peak")+" at the peak"),
		row("from schedule to refusal", times("refused"), ""),
		row("generator behind its schedule", times("late"), ""))
}
