package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// groups asks Kafka about consumer groups.
type groups struct {
	client *kgo.Client
	admin  *kadm.Client
}

func newGroups(broker string) (*groups, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(broker))
	if err != nil {
		return nil, err
	}
	return &groups{client: client, admin: kadm.NewClient(client)}, nil
}

func (g *groups) close() { g.client.Close() }

// readers are the members of a group that have partitions now. While a group changes it has none, and one that nobody has
// joined yet has none either.
func (g *groups) readers(ctx context.Context, group string) map[string]bool {
	have := map[string]bool{}
	described, err := g.admin.DescribeGroups(ctx, group)
	if err != nil {
		return have // asked again soon
	}
	if d := described[group]; d.State == "Stable" {
		for _, m := range d.Members {
			if a, ok := m.Assigned.AsConsumer(); ok && len(a.Topics) > 0 {
				have[m.MemberID] = true
			}
		}
	}
	return have
}

// committed is the sum of a group's offsets of a topic.
func (g *groups) committed(ctx context.Context, group, topic string) (sum int64, err error) {
	offsets, err := g.admin.FetchOffsets(ctx, group)
	if kerr.IsRetriable(err) {
		return 0, nil // a broker that never had a group has no coordinator for the first moments
	}
	if err != nil {
		return 0, err
	}
	for _, o := range offsets[topic] {
		sum += max(o.At, 0)
	}
	return sum, nil
}

// ensure makes a topic of one partition, if there is none: this broker makes none by itself.
func ensure(ctx context.Context, broker, topic string) error {
	g, err := newGroups(broker)
	if err != nil {
		return err
	}
	defer g.close()
	if _, err := g.admin.CreateTopic(ctx, 1, 1, nil, topic); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("create %s: %w", topic, err)
	}
	return nil
}

// drop deletes a topic: some archivers archive whatever there is.
func (g *groups) drop(ctx context.Context, topic string) error {
	_, err := g.admin.DeleteTopic(ctx, topic)
	return err
}
