package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
)

// owner names this process where several share something.
func owner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s/%d", host, os.Getpid())
}

// locked returns a worker that runs while nobody else in the database does, and waits for its turn otherwise.
func (a *app) locked(name string, run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		for {
			err := a.catalog.Lock(ctx, name, run)
			if ctx.Err() != nil {
				return nil //nolint:nilerr // told to stop, so whatever ended the turn is no fault
			}
			a.log.WarnContext(ctx, "turn lost, trying again", "lock", name, "error", err)
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(time.Second):
			}
		}
	}
}

// consumer adds a worker that hands events of topics to a handler, as the group of that name.
func (a *app) consumer(name string, h events.Handler, topics ...string) error {
	return a.consume(kafka.ConsumerConfig{Topics: topics, Handler: h}, name)
}

// consume is consumer for whatever cfg says to consume.
func (a *app) consume(cfg kafka.ConsumerConfig, name string) error {
	cfg.Config, cfg.Group, cfg.Version = a.kafka, "signalbox."+name, version
	cfg.DeadLetterReplication, cfg.DeadLetterLimit = a.cfg.Kafka.Replication, kafka.DeadLetterLimit(a.cfg.DeadLetters)
	c, err := kafka.NewConsumer(cfg)
	if err != nil {
		return fmt.Errorf("consumer %s: %w", name, err)
	}
	a.consumers = append(a.consumers, c)
	a.group.Add(name+" events", c.Run)
	return nil
}
