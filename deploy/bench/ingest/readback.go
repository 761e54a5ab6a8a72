package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// follower reads a topic from its start to wherever it ends, again and again.
type follower struct {
	cl    *kgo.Client
	topic string
	next  map[int32]int64 // offsets that it has not read yet
	seen  map[int64]bool  // ids since the last look
}

func (b *bench) follow(topic string) (*follower, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.servers.Kafka.Addr()), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return nil, err
	}
	return &follower{cl: cl, topic: topic, next: map[int32]int64{}, seen: map[int64]bool{}}, nil
}

func (f *follower) close() { f.cl.Close() }

// lacks reads on to the end and returns how many of the ids are not there.
func (f *follower) lacks(ctx context.Context, ids []int64) (n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	ends, err := kadm.NewClient(f.cl).ListEndOffsets(ctx, f.topic)
	if err != nil {
		return 0, err
	}
	if err := ends.Error(); err != nil {
		return 0, err
	}
	for f.behind(ends) {
		fetches := f.cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return 0, fmt.Errorf("read %s back: %w", f.topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			f.next[r.Partition] = r.Offset + 1
			f.seen[idOf(r)] = true
		})
	}
	for _, id := range ids {
		if !f.seen[id] {
			n++
		}
	}
	clear(f.seen)
	return n, nil
}

func (f *follower) behind(ends kadm.ListedOffsets) (yes bool) {
	ends.Each(func(o kadm.ListedOffset) { yes = yes || f.next[o.Partition] < o.Offset })
	return yes
}

// idOf is the number of the event in a record; -1 for what has none.
func idOf(r *kgo.Record) int64 {
	for _, h := range r.Headers {
		if h.Key == "ce_id" {
			return numberOf(h.Value)
		}
	}
	return -1
}
