package main

import (
	"context"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/tune"
	"github.com/signalbox-ml/signalbox/events"
)

// addTune: one worker for the whole database looks after sweeps, beside the machine that runs their trials.
func (a *app) addTune(context.Context) error {
	cfg := tune.Config{Sweeps: a.registry, Runs: a.registry, Bucket: a.bucket, Log: a.log}
	if a.embedded {
		cfg.Poll = 200 * time.Millisecond
	}
	w, err := tune.New(cfg)
	if err != nil {
		return err
	}
	a.group.Add("tune", a.locked("tune", w.Run))
	return a.consumer("tune", w, events.TopicRuns, events.TopicSweeps)
}
