package rig

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Shop is a topic of CloudEvents in binary mode, with 289 bytes of JSON on average, partitioned by customer. The same Shop
// has the same events each time.
type Shop struct {
	Topic      string
	Records    int
	Partitions int32
	Types      int
}

// Fill makes the topic and produces all of it.
func (s Shop) Fill(ctx context.Context, broker string) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.DefaultProduceTopic(s.Topic), kgo.ProducerLinger(20*time.Millisecond),
		kgo.MaxBufferedRecords(200_000), kgo.UnknownTopicRetries(20))
	if err != nil {
		return err
	}
	defer cl.Close()
	stamp := "LogAppendTime"
	if _, err := kadm.NewClient(cl).CreateTopic(ctx, s.Partitions, 1, map[string]*string{"message.timestamp.type": &stamp}, s.Topic); err != nil {
		return fmt.Errorf("create %s: %w", s.Topic, err)
	}
	var mu sync.Mutex
	var failed error
	for _, r := range s.Events() {
		cl.Produce(ctx, r, func(_ *kgo.Record, err error) {
			mu.Lock()
			defer mu.Unlock()
			failed = errors.Join(failed, err)
		})
	}
	if err := errors.Join(cl.Flush(ctx), failed); err != nil {
		return fmt.Errorf("fill %s: %w", s.Topic, err)
	}
	return nil
}

// IDs are the ce_id of all its events.
func (s Shop) IDs() []uuid.UUID {
	ids := make([]uuid.UUID, 0, s.Records)
	for id := range s.Events() {
		ids = append(ids, id)
	}
	return ids
}

// Events are all its events with their ce_id, in the order of Fill.
func (s Shop) Events() iter.Seq2[uuid.UUID, *kgo.Record] {
	return func(yield func(uuid.UUID, *kgo.Record) bool) {
		source := rand.NewChaCha8([32]byte{1})
		for i := range s.Records {
			if !yield(s.event(source, i)) {
				return
			}
		}
	}
}

func (s Shop) event(source *rand.ChaCha8, i int) (uuid.UUID, *kgo.Record) {
	kinds := [...]string{"shop.order.placed", "shop.order.paid", "shop.cart.updated", "shop.item.viewed", "shop.search.done", "shop.user.login"}
	channels := [...]string{"web", "ios", "android", "partner"}
	countries := [...]string{"DE", "FR", "US", "GB", "NL", "PL", "ES", "IT", "SE", "BR"}
	r := rand.New(source)
	n := r.IntN(s.Types)
	kind := kinds[n%len(kinds)]
	if n >= len(kinds) {
		kind = fmt.Sprintf("%s.%d", kind, n/len(kinds))
	}
	customer, channel, country := fmt.Sprintf("cust-%05d", r.IntN(10_000)), channels[r.IntN(len(channels))], countries[r.IntN(len(countries))]
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * 700 * time.Microsecond).Format(time.RFC3339Nano)
	var id uuid.UUID
	_, _ = source.Read(id[:]) // never fails
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	value := fmt.Appendf(nil, `{"entity_id":%q,"session_id":"%016x","amount":%.2f,"quantity":%d,"sku":"SKU-%06d","channel":%q,"country":%q,`+
		`"user_agent":"Mozilla/5.0 (X11; Linux x86_64; build %d) shop-app/%d.%d","occurred_at":%q,"scores":[%.6f,%.6f,%.6f]}`,
		customer, r.Uint64(), r.ExpFloat64()*40, 1+r.IntN(9), r.IntN(250_000), channel, country, r.IntN(900), 1+r.IntN(5), r.IntN(40), at,
		r.Float64(), r.NormFloat64(), r.Float64())
	header := func(key, value string) kgo.RecordHeader { return kgo.RecordHeader{Key: key, Value: []byte(value)} }
	return id, &kgo.Record{Key: []byte(customer), Value: value, Headers: []kgo.RecordHeader{
		header("ce_specversion", "1.0"), header("ce_id", id.String()), header("ce_source", "/shop/"+channel+"/"+country), header("ce_type", kind),
		header("ce_time", at), header("content-type", "application/json"),
	}}
}
