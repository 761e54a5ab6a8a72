package main

import (
	"context"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/deploy/bench/internal/rig"
)

// shop is the topic that peers are measured on too.
func (b *bench) shop() rig.Shop {
	return rig.Shop{Topic: "events.shop", Records: b.n, Partitions: 4, Types: 6}
}

// fill makes a topic and produces into it, once.
func (b *bench) fill(ctx context.Context, s rig.Shop) error {
	if b.topics[s.Topic] {
		return nil
	}
	if err := s.Fill(ctx, b.servers.Kafka.Addr()); err != nil {
		return err
	}
	b.topics[s.Topic] = true
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
