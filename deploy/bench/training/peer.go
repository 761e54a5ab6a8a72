package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/signalbox-ml/signalbox/deploy/bench/internal/figures"
	"github.com/signalbox-ml/signalbox/deploy/examples/flights"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

const (
	peerJobs  = "bench-peer" // of Signalbox
	argoJobs  = "bench-argo" // of Argo Events
	argoLabel = "dataset"
)

// race is both systems on one broker and one API server.
type race struct {
	stack      *stack
	cluster    *cluster
	argo       *argo
	ours, peer *jobWatch
	records    *readyWatch
	next       int // number of the next dataset
}

// peer measures the time from a record of a dataset in Kafka to the Job that trains on it, in Signalbox and in Argo
// Events, which both read the same record.
func (b *bench) peer(ctx context.Context) error {
	r := &race{}
	var err error
	if r.cluster, err = b.cluster(ctx); err != nil {
		return err
	}
	for _, ns := range []string{peerJobs, argoJobs} {
		if err := r.cluster.namespace(ctx, ns); err != nil {
			return err
		}
	}
	if r.stack, err = b.stack(ctx, "peer", clusterClasses(r.cluster, peerJobs, 100_000)); err != nil {
		return err
	}
	err = r.prepare(ctx, b)
	if err == nil {
		err = r.run(ctx, b)
	}
	if r.argo != nil {
		err = errors.Join(err, r.argo.close())
	}
	return errors.Join(err, r.stack.close())
}

// prepare declares the example and starts the peer.
func (r *race) prepare(ctx context.Context, b *bench) error {
	if err := r.stack.example(ctx, unchanged); err != nil {
		return err
	}
	bus := "bench-argo-bus"
	admin, err := kafka.NewAdmin(kafka.AdminConfig{Config: r.stack.kafka})
	if err != nil {
		return err
	}
	defer admin.Close()
	var topics []events.TopicSpec
	for _, name := range []string{bus, bus + "-signalbox-trigger", bus + "-signalbox-action"} {
		topics = append(topics, events.TopicSpec{Name: name, Partitions: 1})
	}
	if err := admin.EnsureTopics(ctx, topics); err != nil {
		return err
	}
	r.argo, err = b.startArgo(ctx, r.cluster, r.stack.kafka.Brokers[0], bus)
	return err
}

func (r *race) run(ctx context.Context, b *bench) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var err error
	if r.ours, err = watchJobs(ctx, r.cluster.client, peerJobs, "signalbox.dev/run"); err != nil {
		return err
	}
	defer r.ours.close()
	if r.peer, err = watchJobs(ctx, r.cluster.client, argoJobs, argoLabel); err != nil {
		return err
	}
	defer r.peer.close()
	r.records = watchReady(ctx, r.stack.kafka)
	defer r.records.close()
	defer cancel() // the watches end with it
	for range 3 {  // warms up both; the first may wait for a group to form
		if _, _, err := r.one(ctx); err != nil {
			return err
		}
	}
	every := figures.Series{}
	for range b.rounds {
		round := figures.Series{}
		for range b.events {
			ours, theirs, err := r.one(ctx)
			if err != nil {
				return err
			}
			round.Add("ours", figures.Millis(ours))
			round.Add("argo", figures.Millis(theirs))
		}
		for name, values := range round {
			every.Add(name+" p50", figures.Quantile(values, 0.5))
			every.Add(name+" p99", figures.Quantile(values, 0.99))
		}
	}
	m := every.Medians()
	for _, q := range []string{"p50", "p99"} {
		b.report.Add(figures.Row{Goal: "peer", What: "dataset.ready in Kafka to Job, " + q, Numerator: fmt.Sprintf("%.1f ms", m["ours "+q]),
			Denominator: fmt.Sprintf("%.1f ms Argo Events", m["argo "+q]), Ratio: m["ours "+q] / m["argo "+q]})
	}
	b.report.Note("peer: Argo Events %s, event source, bus and sensor on the same embedded broker, Kafka as its bus with its own settings; %d rounds of %d events, one at a time; "+
		"both read the same record. Its bus collects up to 100 records, or for 1 s, at each of two topics before it acts; its Jobs are named by the server, "+
		"as in its examples, so that a record that comes again is another Job: a name made of the dataset would have the API server refuse the repeats.", argoVersion, b.rounds, b.events)
	return r.repeated(ctx, b)
}

// one publishes a dataset and returns how long each took from the record to the Job.
func (r *race) one(ctx context.Context) (ours, theirs time.Duration, err error) {
	d, _, err := r.stack.registry.PublishDataset(ctx, emptyDataset(flights.Dataset, r.next))
	if err != nil {
		return 0, 0, err
	}
	r.next++
	begin, err := r.records.wait(ctx, d.ID.String())
	if err != nil {
		return 0, 0, err
	}
	run, err := r.runOn(ctx, d.ID)
	if err != nil {
		return 0, 0, err
	}
	first, err := r.ours.wait(ctx, run)
	if err != nil {
		return 0, 0, fmt.Errorf("our job: %w", err)
	}
	second, err := r.peer.wait(ctx, d.ID.String())
	if err != nil {
		return 0, 0, fmt.Errorf("job of Argo Events: %w (its log: %s)", err, r.argo.logFile)
	}
	return first.Sub(begin), second.Sub(begin), nil
}

// runOn waits for the run on a dataset.
func (r *race) runOn(ctx context.Context, id cas.Digest) (string, error) {
	var runs []registry.Run
	err := until(ctx, "a run on "+id.String(), func() (bool, error) {
		var err error
		runs, err = r.stack.registry.Runs(ctx, registry.RunFilter{Dataset: id, Limit: 2})
		return len(runs) > 0, err
	})
	if err != nil {
		return "", err
	}
	return runs[0].ID.String(), nil
}

// repeated delivers one record ten times and counts the Jobs.
func (r *race) repeated(ctx context.Context, b *bench) error {
	const copies = 10
	d, _, err := r.stack.registry.PublishDataset(ctx, emptyDataset(flights.Dataset, r.next))
	if err != nil {
		return err
	}
	r.next++
	if _, err := r.records.wait(ctx, d.ID.String()); err != nil {
		return err
	}
	evs := r.records.all()
	if err := repeat(ctx, r.stack.kafka, evs[len(evs)-1:], copies-1); err != nil {
		return err
	}
	if _, _, err := r.one(ctx); err != nil { // stands behind them, for both
		return err
	}
	run, err := r.runOn(ctx, d.ID)
	if err != nil {
		return err
	}
	ours, err := r.cluster.countJobs(ctx, peerJobs, "signalbox.dev/run="+run)
	if err != nil {
		return err
	}
	theirs, err := r.settled(ctx, argoLabel+"="+d.ID.String(), copies)
	b.report.Add(figures.Row{Goal: "peer", What: fmt.Sprintf("Jobs of one record that came %d times", copies), Numerator: fmt.Sprint(ours),
		Denominator: fmt.Sprintf("%d Argo Events", theirs), Ratio: float64(ours) / float64(max(theirs, 1)), Limit: "1", Met: ours == 1})
	return err
}

// settled counts Jobs of the peer, which makes them in the background, until there are as many as could be or for 10 s.
func (r *race) settled(ctx context.Context, selector string, most int) (n int, err error) {
	end := time.Now().Add(10 * time.Second)
	err = until(ctx, "the peer to settle", func() (bool, error) {
		var err error
		n, err = r.cluster.countJobs(ctx, argoJobs, selector)
		return n >= most || time.Now().After(end), err
	})
	return n, err
}
