package simulation_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/events"
)

// Topics of the simulation.
const (
	topicFlights  = "events.flights"
	topicWeather  = "events.weather"
	topicPayments = "events.payments" // in transactions
	topicBrief    = "events.brief"    // made again and again
	topicPassing  = "events.passing." // and a number: made, then deleted for good
)

// topics is what is in the broker, with the producers.
type topics struct {
	world *world
	names []string
	sizes map[string]int32
	locks map[string]chan struct{} // held by who writes to a topic, or removes something; channels, so that the clock goes on
	plain *kgo.Client
	paid  *kgo.Client

	mu   sync.Mutex
	made map[string]int    // events of a topic
	kept map[string][]sent // events that may be sent again
}

func newTopics(w *world) *topics {
	ts := &topics{world: w, sizes: map[string]int32{}, locks: map[string]chan struct{}{}, made: map[string]int{}, kept: map[string][]sent{}}
	for _, t := range []struct {
		name       string
		partitions int32
	}{{topicFlights, 3}, {topicWeather, 2}, {topicPayments, 1}, {topicBrief, 2}, {events.TopicTags, 1}, {events.TopicArchive, 1}} {
		ts.names, ts.sizes[t.name], ts.locks[t.name] = append(ts.names, t.name), t.partitions, make(chan struct{}, 1)
	}
	return ts
}

func (ts *topics) begin() {
	for _, name := range ts.names {
		ts.create(name, ts.sizes[name])
	}
	ts.plain = ts.client()
	ts.paid = ts.client(kgo.TransactionalID("payments"))
}

func (ts *topics) end() {
	ts.plain.Close()
	ts.paid.Close()
}

func (ts *topics) create(name string, partitions int32) {
	configs := map[string]string{"message.timestamp.type": "LogAppendTime"}
	if name == events.TopicTags {
		configs["cleanup.policy"] = "compact"
	}
	if err := ts.world.virtual.Cluster.CreateTopic(name, partitions, configs); err != nil {
		ts.world.breach("create %s: %v", name, err)
	}
}

// client returns a client that nothing disturbs.
func (ts *topics) client(opts ...kgo.Opt) *kgo.Client {
	cfg := ts.world.virtual.Config()
	cl, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(cfg.Brokers...), kgo.Dialer(cfg.Dial), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.ProducerBatchCompression(kgo.NoCompression()), // one delivery may be larger than a budget: here a fetch bounds it
		kgo.ProducerLinger(0),                             // the broker's compaction takes the producer's time for its own: they must be the same
	}, opts...)...)
	if err != nil {
		panic(err) // no option comes from outside
	}
	return cl
}

func (ts *topics) lock(name string)   { ts.locks[name] <- struct{}{} }
func (ts *topics) unlock(name string) { <-ts.locks[name] }

// partitionInfo is a partition that the broker has.
type partitionInfo struct {
	place
	topic              string
	start, stable, end int64
}

// partitions returns those of some topics, of all that were not deleted without any.
func (ts *topics) partitions(names ...string) []partitionInfo {
	if len(names) == 0 {
		names = ts.names
	}
	var out []partitionInfo
	for _, name := range names {
		info := ts.world.virtual.Cluster.TopicInfo(name)
		if info == nil {
			continue
		}
		for _, p := range ts.world.virtual.Cluster.PartitionInfos(name) {
			out = append(out, partitionInfo{place{uuid.UUID(info.TopicID), p.Partition}, name, p.LogStartOffset, p.LastStableOffset, p.HighWatermark})
		}
	}
	return out
}

// produce appends records, which are of one topic and partition. The caller holds the lock of the topic.
func (ts *topics) produce(recs ...*kgo.Record) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	cl := ts.plain
	if recs[0].Topic != topicFlights && recs[0].Topic != topicWeather {
		cl = ts.client() // one that remembers no topic of that name
		defer cl.Close()
	}
	if err := cl.ProduceSync(ctx, recs...).FirstErr(); err != nil {
		ts.world.breach("produce to %s: %v", recs[0].Topic, err)
	}
}

// transact appends records in a transaction, which stays open for a while.
func (ts *topics) transact(open time.Duration, commit bool, recs ...*kgo.Record) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	if err := ts.paid.BeginTransaction(); err != nil {
		ts.world.breach("begin transaction: %v", err)
		return
	}
	err := ts.paid.ProduceSync(ctx, recs...).FirstErr()
	wait(open)
	if !commit {
		ts.world.tally.hit(sawAborted)
	}
	if e := ts.paid.EndTransaction(ctx, kgo.TransactionEndTry(commit)); err != nil || e != nil {
		ts.world.breach("transaction: %v, %v", err, e)
	}
}

// count returns the number of a topic's next event.
func (ts *topics) count(name string) int {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.made[name]++
	return ts.made[name]
}

// idOf is unlike any other event's.
func (ts *topics) idOf(name string) string { return fmt.Sprint(name, "-", ts.count(name)) }
