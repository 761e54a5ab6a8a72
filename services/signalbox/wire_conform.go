package main

import (
	"context"

	"github.com/signalbox-ml/signalbox/consumers/conform"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
)

// addConform: the consumer stops before what it asks for the streams.
func (a *app) addConform(context.Context) error {
	checker, err := conform.New(conform.Config{Specs: a.catalog, Log: a.log})
	if err != nil {
		return err
	}
	a.group.Add("conform", checker.Run)
	return a.consume(kafka.ConsumerConfig{Pattern: events.StreamTopics, Except: events.DeadLetterTopics, Placed: checker}, "conform")
}
