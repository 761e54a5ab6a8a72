package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
)

// directProducer writes to Kafka itself, idempotent, acknowledged by all replicas.
type directProducer struct {
	broker string
	acks   *ackLog
	seq    int

	mu      sync.Mutex // held while something is on its way
	topicID string     // of the life that it writes to
	client  *kgo.Client
}

// run begins nothing new when more ends, and gives up what it has begun when work ends.
func (d *directProducer) run(more, work context.Context) error {
	defer d.close()
	return every(more, directEvery, func() error {
		d.mu.Lock()
		defer d.mu.Unlock()
		if err := d.open(work); err != nil {
			return err
		}
		recs, ids, err := batchOf("d", &d.seq, directBatch, directStream)
		if err != nil {
			return err
		}
		var wg sync.WaitGroup
		for i, r := range recs {
			wg.Add(1)
			d.client.Produce(work, r, func(_ *kgo.Record, err error) {
				defer wg.Done()
				if err == nil {
					d.acks.add("direct", d.topicID, ids[i])
				}
			})
		}
		wg.Wait()
		return nil
	})
}

func (d *directProducer) open(work context.Context) error {
	if d.client != nil {
		return nil
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(d.broker), kgo.ClientID("chaos-direct"), kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(5*time.Millisecond), kgo.MetadataMinAge(250*time.Millisecond))
	if err != nil {
		return err
	}
	d.client = cl
	// Records of an idempotent producer that may be on their way outlive their context; they end with their client.
	context.AfterFunc(work, cl.Close)
	return nil
}

// pause waits for what is on its way, and lets nothing follow until resume.
func (d *directProducer) pause() { d.mu.Lock() }

// resume goes on, in the life of the topic that has this id.
func (d *directProducer) resume(topicID string) {
	defer d.mu.Unlock()
	if topicID != d.topicID {
		d.topicID = topicID
		d.close()
	}
}

// close is called with mu held, or when run is over.
func (d *directProducer) close() {
	if d.client != nil {
		d.client.Close()
		d.client = nil
	}
}

// batchOf makes records of n new events.
func batchOf(producer string, seq *int, n int, stream string) ([]*kgo.Record, []string, error) {
	var recs []*kgo.Record
	var ids []string
	for range n {
		*seq++
		ev, err := happening(producer, *seq, [...]string{stream + ".made", stream + ".undone", stream + ".seen"}[*seq%3])
		if err != nil {
			return nil, nil, err
		}
		r, err := kafka.Encode(ev)
		if err != nil {
			return nil, nil, err
		}
		out := &kgo.Record{Topic: events.StreamTopic(stream), Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			out.Headers = append(out.Headers, kgo.RecordHeader(h))
		}
		recs, ids = append(recs, out), append(ids, ev.ID())
	}
	return recs, ids, nil
}

// dealProducer writes in transactions, of which every fourth is taken back.
type dealProducer struct {
	broker string
	acks   *ackLog
	tally  *tally
	seq    int
	turn   int
	client *kgo.Client
}

// run begins nothing new when more ends, and gives up what it has begun when work ends.
func (x *dealProducer) run(more, work context.Context) error {
	defer func() {
		if x.client != nil {
			x.client.Close()
		}
	}()
	return every(more, dealEvery, func() error {
		x.turn++
		if err := x.deal(work, x.turn%4 != 0); err != nil && work.Err() == nil {
			// The broker was killed under a transaction: whether it counts is unknown. A new client takes over its id.
			if x.client != nil {
				x.client.Close()
				x.client = nil
			}
			pause(work, 200*time.Millisecond)
		}
		return nil
	})
}

func (x *dealProducer) open(work context.Context) error {
	if x.client != nil {
		return nil
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(x.broker), kgo.ClientID("chaos-deals"), kgo.TransactionalID("chaos-deals"),
		kgo.TransactionTimeout(15*time.Second), kgo.ProducerLinger(5*time.Millisecond), kgo.MetadataMinAge(250*time.Millisecond))
	if err != nil {
		return err
	}
	x.client = cl
	context.AfterFunc(work, cl.Close) // what is on its way does not end before its client
	return nil
}

// deal is one transaction. Its events are acknowledged when the commit is.
func (x *dealProducer) deal(work context.Context, commit bool) error {
	if err := x.open(work); err != nil {
		return err
	}
	recs, ids, err := batchOf("x", &x.seq, dealBatch, dealStream)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(work, 20*time.Second)
	defer cancel()
	if err := x.client.BeginTransaction(); err != nil {
		return err
	}
	if err := x.client.ProduceSync(ctx, recs...).FirstErr(); err != nil {
		return errors.Join(err, x.client.EndTransaction(ctx, kgo.TryAbort))
	}
	if err := x.client.EndTransaction(ctx, kgo.TransactionEndTry(commit)); err != nil {
		return fmt.Errorf("end transaction: %w", err)
	}
	x.tally.transaction(commit)
	if commit {
		x.acks.add("transaction", "", ids...)
	}
	return nil
}
