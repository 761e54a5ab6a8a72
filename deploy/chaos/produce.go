package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/signalbox-ml/signalbox/events"
)

// The streams. Types of one stream become files of one flush.
const (
	tickStream   = "ticks"  // through HTTP, 4 partitions
	directStream = "direct" // by an idempotent producer, 4 partitions
	dealStream   = "deals"  // by transactions, 3 partitions
)

// streams is what the subjects must know before the first event.
const streams = `apiVersion: signalbox.dev/v1
kind: Stream
metadata: {name: ticks}
spec:
  partitions: 4
  types:
    tick.up: {schema: {type: object, required: [producer, seq], properties: {producer: {type: string}, seq: {type: integer}, pad: {type: string}}}}
    tick.down: {schema: {type: object, required: [producer, seq], properties: {producer: {type: string}, seq: {type: integer}, pad: {type: string}}}}
`

// directTopics are made without the subjects.
func directTopics() []events.TopicSpec {
	return []events.TopicSpec{
		{Name: events.StreamTopic(directStream), Partitions: 4},
		{Name: events.StreamTopic(dealStream), Partitions: 3},
	}
}

// Rates: what two cores can bear beside everything else.
const (
	httpEvery   = 100 * time.Millisecond // each of the producers, a single event or a batch
	httpBatch   = 24
	directEvery = 100 * time.Millisecond
	directBatch = 50
	dealEvery   = 250 * time.Millisecond
	dealBatch   = 40
	httpWriters = 3
)

// finish is how long a producer may go on with what it has begun when faults are over.
const finish = 45 * time.Second

// producers are all that write, until stop.
type producers struct {
	stop   context.CancelFunc // of new work
	kill   context.CancelFunc // of everything
	all    sync.WaitGroup
	tally  *tally
	direct *directProducer
	faults chan error
}

// produce starts every producer.
func produce(ctx context.Context, w world, acks *ackLog, t *tally) *producers {
	work, kill := context.WithCancel(context.WithoutCancel(ctx))
	more, stop := context.WithCancel(work)
	p := &producers{stop: stop, kill: kill, tally: t, faults: make(chan error, httpWriters+3)}
	run := func(f func() error) {
		p.all.Go(func() {
			if err := f(); err != nil {
				p.faults <- err
			}
		})
	}
	for i := range httpWriters {
		h := newHTTPProducer(w, fmt.Sprint("h", i), acks, t)
		run(func() error { return h.run(more, work) })
	}
	p.direct = &directProducer{broker: w.servers.kafkaAddr, acks: acks}
	run(func() error { return p.direct.run(more, work) })
	y := &strayProducer{broker: w.servers.kafkaAddr, acks: acks}
	run(func() error { return y.run(more, work) })
	x := &dealProducer{broker: w.servers.kafkaAddr, acks: acks, tally: t}
	run(func() error { return x.run(more, work) })
	return p
}

// end lets every producer finish what it began, within bounds, and returns what went wrong.
func (p *producers) end() error {
	p.stop()
	bound := time.AfterFunc(finish, p.kill)
	defer bound.Stop()
	p.all.Wait()
	p.kill()
	close(p.faults)
	for err := range p.faults {
		return err
	}
	return nil
}

// every calls f at a pace until ctx ends or f fails.
func every(ctx context.Context, d time.Duration, f func() error) error {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := f(); err != nil {
				return err
			}
		}
	}
}

// happening is one event of a producer. Its id has the producer's name and a number that only grows.
func happening(producer string, seq int, typ string) (events.Event, error) {
	data := struct {
		Producer string `json:"producer"`
		Seq      int    `json:"seq"`
		Pad      string `json:"pad"`
	}{producer, seq, strings.Repeat("x", 40+seq%200)}
	return events.New(typ, "/chaos/"+producer, fmt.Sprint(producer, "/", seq%16), fmt.Sprint(producer, "-", seq), time.Now().UTC(), data)
}
