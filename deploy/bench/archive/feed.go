package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// shape says what a topic holds.
type shape struct {
	topic      string
	records    int
	partitions int32
	types      int
}

// shop is the topic that peers are measured on too: CloudEvents of a shop in binary mode, of six types, with 289 bytes of
// JSON on average, in four partitions by customer.
func (b *bench) shop() shape {
	return shape{topic: "events.shop", records: b.n, partitions: 4, types: 6}
}

// fill makes a topic and produces into it, once.
func (b *bench) fill(ctx context.Context, s shape) error {
	if b.topics[s.topic] {
		return nil
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.servers.Kafka.Addr()), kgo.DefaultProduceTopic(s.topic),
		kgo.ProducerLinger(20*time.Millisecond), kgo.MaxBufferedRecords(200_000), kgo.UnknownTopicRetries(20))
	if err != nil {
		return err
	}
	defer cl.Close()
	stamp := "LogAppendTime"
	if _, err := kadm.NewClient(cl).CreateTopic(ctx, s.partitions, 1, map[string]*string{"message.timestamp.type": &stamp}, s.topic); err != nil {
		return fmt.Errorf("create %s: %w", s.topic, err)
	}
	var mu sync.Mutex
	var failed error
	m := maker{rng: newRand(), types: s.types}
	for i := range s.records {
		cl.Produce(ctx, m.record(i), func(_ *kgo.Record, err error) {
			mu.Lock()
			defer mu.Unlock()
			failed = errors.Join(failed, err)
		})
	}
	if err := errors.Join(cl.Flush(ctx), failed); err != nil {
		return fmt.Errorf("fill %s: %w", s.topic, err)
	}
	b.topics[s.topic] = true
	return nil
}

// drop deletes the topics that were filled: an archiver archives whatever there is.
func (b *bench) drop(ctx context.Context) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.servers.Kafka.Addr()))
	if err != nil {
		return err
	}
	defer cl.Close()
	_, err = kadm.NewClient(cl).DeleteTopics(ctx, slices.Collect(maps.Keys(b.topics))...)
	clear(b.topics)
	return err
}

// maker makes the same events each time.
type maker struct {
	rng   *rand.ChaCha8
	types int
}

func newRand() *rand.ChaCha8 { return rand.NewChaCha8([32]byte{1}) }

func (m maker) record(i int) *kgo.Record {
	r := rand.New(m.rng)
	kinds := [...]string{"shop.order.placed", "shop.order.paid", "shop.cart.updated", "shop.item.viewed", "shop.search.done", "shop.user.login"}
	channels, countries := [...]string{"web", "ios", "android", "partner"}, [...]string{"DE", "FR", "US", "GB", "NL", "PL", "ES", "IT", "SE", "BR"}
	n := r.IntN(m.types)
	typ := kinds[n%len(kinds)]
	if n >= len(kinds) {
		typ = fmt.Sprintf("%s.%d", typ, n/len(kinds))
	}
	customer, channel, country := fmt.Sprintf("cust-%05d", r.IntN(10_000)), channels[r.IntN(4)], countries[r.IntN(10)]
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * 700 * time.Microsecond).Format(time.RFC3339Nano)
	id := uuid.Must(uuid.NewRandomFromReader(m.rng)).String()
	value := fmt.Appendf(nil, `{"entity_id":%q,"session_id":"%016x","amount":%.2f,"quantity":%d,"sku":"SKU-%06d","channel":%q,"country":%q,`+
		`"user_agent":"Mozilla/5.0 (X11; Linux x86_64; build %d) shop-app/%d.%d","occurred_at":%q,"scores":[%.6f,%.6f,%.6f]}`,
		customer, r.Uint64(), r.ExpFloat64()*40, 1+r.IntN(9), r.IntN(250_000), channel, country, r.IntN(900), 1+r.IntN(5), r.IntN(40), at,
		r.Float64(), r.NormFloat64(), r.Float64())
	return &kgo.Record{Key: []byte(customer), Value: value, Headers: []kgo.RecordHeader{
		{Key: "ce_specversion", Value: []byte("1.0")}, {Key: "ce_id", Value: []byte(id)},
		{Key: "ce_source", Value: fmt.Appendf(nil, "/shop/%s/%s", channel, country)}, {Key: "ce_type", Value: []byte(typ)},
		{Key: "ce_time", Value: []byte(at)}, {Key: "content-type", Value: []byte("application/json")},
	}}
}
