package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/consumers/archive/compact"
	"github.com/signalbox-ml/signalbox/consumers/generate"
	"github.com/signalbox-ml/signalbox/consumers/generate/procengine"
	"github.com/signalbox-ml/signalbox/consumers/retrain"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
	"github.com/signalbox-ml/signalbox/registry/outbox"
	"github.com/signalbox-ml/signalbox/services/ingest"
	"github.com/signalbox-ml/signalbox/services/registryapi"
	"github.com/signalbox-ml/signalbox/services/training"
)

// source is the CloudEvents source of what this service says itself.
const source = "/signalbox"

// addArchive: the tap stops before the archiver, so that its hand-offs leave nothing to drain.
func (a *app) addArchive(context.Context) error {
	age, idle, skew := time.Minute, time.Second, 3*time.Second
	if a.embedded { // somebody is waiting, and one machine has one clock
		age, idle, skew = 5*time.Second, 250*time.Millisecond, time.Second
	}
	budget := a.cfg.Archive.Budget
	var lend func(int64) func()
	if a.alone {
		lend = newAllowance(budget, debug.SetMemoryLimit).lend
	}
	tap, err := kafka.NewTap(kafka.TapConfig{Config: a.kafka, Group: "signalbox.archive", IdleInterval: idle, Budget: fetchesOf(budget)})
	if err != nil {
		return err
	}
	w, err := archive.New(archive.Config{
		Ledger: a.catalog.Ledger(), Bucket: a.bucket, Owner: owner(), Source: source, Committer: tap,
		MaxAge: cmp.Or(a.cfg.Archive.MaxAge, age), MaxBytes: a.cfg.Archive.MaxBytes, Budget: recordsOf(budget), Skew: skew, Log: a.log,
	})
	if err != nil {
		return err
	}
	if err := observe(w.Stats); err != nil {
		return err
	}
	a.group.Add("archive", w.Run)
	a.group.Add("archive tap", func(ctx context.Context) error { return tap.Run(ctx, w) })
	return a.addCompact(lend)
}

// addCompact: one compactor works at a time, so that none merges what another one does. The ledger would not need it.
func (a *app) addCompact(lend func(int64) func()) error {
	cfg := a.cfg.Archive.Compact
	if cfg.Off {
		return nil
	}
	c, err := compact.New(compact.Config{
		Ledger: a.catalog.Ledger(), Bucket: a.bucket, References: keepers{compact.NewDatasets(a.catalog), a.catalog.Views()},
		Dir: filepath.Join(a.cfg.Data, "compact"), Interval: cfg.Interval, Slack: cfg.Slack, Target: cfg.Target,
		MaxInput: cfg.MaxInput, Memory: cfg.Memory, Lend: lend, Grace: cfg.Grace, Log: a.log,
	})
	if err != nil {
		return err
	}
	if err := observeCompact(c.Stats); err != nil {
		return err
	}
	a.group.Add("compact", a.locked("compact", c.Run))
	return nil
}

// addControl: HTTP stops first, then what it fills, the outbox last.
func (a *app) addControl(_ context.Context, l net.Listener) error {
	relay, err := outbox.New(outbox.Config{Source: a.catalog.Outbox(), Publisher: a.producer, Log: a.log})
	if err != nil {
		return err
	}
	a.group.Add("outbox relay", relay.Run)
	again, err := retrain.New(retrain.Config{Registry: a.registry, Log: a.log})
	if err != nil {
		return err
	}
	if err := a.consumer("retrain", again, events.TopicDatasets); err != nil {
		return err
	}
	rt, err := a.router()
	if err != nil {
		return err
	}
	in, err := ingest.New(ingest.Config{Publisher: a.producer, Specs: a.catalog, Log: a.log})
	if err != nil {
		return err
	}
	a.group.Add("ingest", in.Run)
	api, err := registryapi.New(registryapi.Config{
		Registry: a.registry, Ledger: a.catalog.Ledger(), Bucket: a.bucket, Topics: a.admin, Log: a.log,
	})
	if err != nil {
		return err
	}
	runs, err := training.New(training.Config{
		Runs: a.registry, Reports: a.registry, Declared: a.registry, Bucket: a.bucket, BucketName: a.cfg.S3.Bucket,
		MaxAttempts: a.cfg.Training.MaxAttempts, ComputeClasses: a.cfg.Training.ClassNames(),
	})
	if err != nil {
		return err
	}
	in.Routes(rt)
	api.Routes(rt)
	runs.Routes(rt)
	a.serve("control plane", l, rt)
	return nil
}

func (a *app) addGenerate(context.Context) error {
	engine, err := procengine.New(procengine.Config{})
	if errors.Is(err, procengine.ErrNoProgram) {
		return fmt.Errorf("%w: put it beside signalbox; `make build` builds both", err)
	}
	if err != nil {
		return err
	}
	cfg := generate.Config{
		Specs: a.catalog, Datasets: a.catalog, Ledger: a.catalog.Ledger(), Bucket: a.bucket, Publish: a.registry.PublishDataset,
		Engine: engine, CacheDir: filepath.Join(a.cfg.Data, "cache", "archive"), Log: a.log,
	}
	if a.embedded {
		cfg.Interval = time.Second
	}
	g, err := generate.New(cfg)
	if err != nil {
		return err
	}
	a.group.Add("generate", a.locked("generate", g.Run))
	return a.consumer("generate", g, events.TopicArchive)
}
