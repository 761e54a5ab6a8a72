package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/signalbox-ml/signalbox/deploy/bench/internal/figures"
	"github.com/signalbox-ml/signalbox/deploy/examples/flights"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

// burst is T3: many datasets become ready, each event comes many times and out of order, and there must be one run for
// each dataset. One job may be under way at once, and it waits for a node that never comes: nothing trains.
func (b *bench) burst(ctx context.Context) error {
	c, err := b.cluster(ctx)
	if err != nil {
		return err
	}
	const namespace = "bench-burst"
	if err := c.namespace(ctx, namespace); err != nil {
		return err
	}
	s, err := b.served(ctx, "t3", clusterClasses(c, namespace, 1))
	if err != nil {
		return err
	}
	return errors.Join(b.flood(ctx, s), s.close())
}

// phase is one part of the burst and what memory it took.
type phase struct {
	name   string
	events int
	took   time.Duration
	memory []int64 // bytes of the stack's process, once a second
}

func (b *bench) flood(ctx context.Context, s *stack) error {
	if err := s.example(ctx, unchanged); err != nil {
		return err
	}
	m := watchMemory(s.Pid())
	defer m.close()
	idle := m.after(ctx, 5*time.Second)

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ready := watchReady(ctx, s.kafka)
	defer ready.close()
	defer cancel() // the watch ends with it
	begin := time.Now()
	if err := publishDatasets(ctx, s.registry, b.n); err != nil {
		return err
	}
	published := time.Since(begin)
	var evs []events.Event
	if err := until(ctx, "the outbox to be empty", func() (bool, error) { evs = ready.all(); return len(evs) == b.n, nil }); err != nil {
		return err
	}
	// To count runs again and again would be work for the same database.
	var last events.DatasetReady
	if err := evs[len(evs)-1].DataAs(&last); err != nil {
		return err
	}
	if err := handled(ctx, s, last.Dataset); err != nil {
		return err
	}
	firsts := phase{"each event once, by the outbox", b.n, time.Since(begin), m.take()}

	begin = time.Now()
	if err := repeat(ctx, s.kafka, evs, b.copies-1); err != nil {
		return err
	}
	sent := time.Since(begin)
	if err := b.marker(ctx, s); err != nil {
		return err
	}
	repeats := phase{fmt.Sprintf("%d times more, shuffled", b.copies-1), b.n * (b.copies - 1), time.Since(begin), m.take()}
	after := m.after(ctx, 20*time.Second)
	counted, err := countRuns(ctx, s.registry, b.n+1)
	if err != nil {
		return err
	}
	b.tellBurst(counted, []phase{firsts, repeats}, idle, after)
	b.report.Note("T3: %d datasets were registered in %.1f s (%.0f a second, 8 at once) and the %d repeats were in Kafka after %.1f s; their 'took' "+
		"ends when a last event of another dataset has its run, which stands behind them in the one partition.",
		b.n, published.Seconds(), float64(b.n)/published.Seconds(), b.n*(b.copies-1), sent.Seconds())
	return nil
}

// tellBurst writes the rows of T3. One run belongs to the marker.
func (b *bench) tellBurst(c counted, phases []phase, idle, after int64) {
	b.report.Add(figures.Row{Goal: "T3", What: "runs for events", Numerator: fmt.Sprintf("%d runs, of %d datasets", c.runs-1, c.datasets-1),
		Denominator: fmt.Sprintf("%d datasets, %d events", b.n, b.n*b.copies), Ratio: float64(c.runs-1) / float64(b.n),
		Limit: "exactly one each", Met: c.runs == b.n+1 && c.datasets == b.n+1})
	for _, p := range phases {
		b.report.Add(figures.Row{Goal: "T3", What: p.name, Numerator: fmt.Sprintf("%d events in %.1f s, at most %s", p.events, p.took.Seconds(), mebibytes(slices.Max(p.memory))),
			Denominator: fmt.Sprintf("%.0f events/s", float64(p.events)/p.took.Seconds())})
	}
	first, last := thirds(phases[1].memory)
	b.report.Add(figures.Row{Goal: "T3", What: "memory in the last third of the repeats against the first", Numerator: mebibytes(last),
		Denominator: mebibytes(first), Ratio: float64(last) / float64(first), Limit: "<= 1.1", Met: float64(last) <= 1.1*float64(first)})
	b.report.Add(figures.Row{Goal: "T3", What: "memory before and 20 s after", Numerator: mebibytes(after), Denominator: mebibytes(idle), Ratio: float64(after) / float64(idle)})
}

func mebibytes(n int64) string { return figures.Mebibytes(float64(n)) }

// publishDatasets registers n datasets as a generator would.
func publishDatasets(ctx context.Context, r *registry.Registry, n int) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i := range n {
		g.Go(func() error {
			_, _, err := r.PublishDataset(ctx, emptyDataset(flights.Dataset, i))
			return err
		})
	}
	return g.Wait()
}

// marker publishes one more dataset and waits for its run: everything before it has been handled then.
func (b *bench) marker(ctx context.Context, s *stack) error {
	d, _, err := s.registry.PublishDataset(ctx, emptyDataset(flights.Dataset, b.n))
	if err != nil {
		return err
	}
	return handled(ctx, s, d.ID.String())
}

// handled waits for the run of a dataset. Everything before its event has been handled then: they stand in one partition.
func handled(ctx context.Context, s *stack, dataset string) error {
	id, err := cas.Parse(dataset)
	if err != nil {
		return err
	}
	return until(ctx, "the last event to be handled", func() (bool, error) {
		runs, err := s.registry.Runs(ctx, registry.RunFilter{Dataset: id, Limit: 1})
		return len(runs) == 1, err
	})
}

// counted is what the registry has in the end.
type counted struct{ runs, datasets int }

// countRuns counts the runs, and the datasets that they are of; at most twice as many as there should be.
func countRuns(ctx context.Context, r *registry.Registry, want int) (counted, error) {
	runs, err := r.Runs(ctx, registry.RunFilter{Model: flights.Model, Limit: 2 * want})
	seen := map[string]bool{}
	for _, run := range runs {
		seen[run.Dataset.String()] = true
	}
	return counted{len(runs), len(seen)}, err
}

// repeat appends every event n times more, shuffled, as the outbox writes them.
func repeat(ctx context.Context, cfg kafka.Config, evs []events.Event, n int) error {
	p, err := kafka.NewProducer(kafka.ProducerConfig{Config: cfg, Linger: time.Millisecond})
	if err != nil {
		return err
	}
	all := make([]events.Event, 0, n*len(evs))
	for range n {
		all = append(all, evs...)
	}
	order := rand.New(rand.NewPCG(1, 2)) // the same in every run
	order.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for len(all) > 0 {
		part := all[:min(1000, len(all))]
		if err := p.Publish(ctx, part...); err != nil {
			return errors.Join(err, p.Close(ctx))
		}
		all = all[len(part):]
	}
	return p.Close(ctx)
}
