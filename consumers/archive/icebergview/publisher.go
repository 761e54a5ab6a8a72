package icebergview

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// Publisher keeps the tables up with the ledger. Run does; nothing else may be called meanwhile but Stats.
type Publisher struct {
	cfg    Config
	counts counters
	shown  map[uuid.UUID]shown
	swept  time.Time
}

// shown is what a table showed when it was looked at last.
type shown struct {
	location string
	meta     table.Metadata
	files    map[string]bool // by URL; nil: not known
}

// New checks cfg and returns a publisher.
func New(cfg Config) (*Publisher, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Publisher{cfg: cfg.withDefaults(), shown: map[uuid.UUID]shown{}}, nil
}

// Run publishes what is new, again and again, until ctx ends; then it drops what is under way and returns nil.
func (p *Publisher) Run(ctx context.Context) error {
	tick := time.NewTicker(p.cfg.Interval)
	defer tick.Stop()
	for {
		if err := p.look(ctx, p.cfg.Interval); err != nil && ctx.Err() == nil {
			p.cfg.Log.WarnContext(ctx, "archive views incomplete, will look again", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Look does once what Run does again and again, however young the tables' snapshots are. A table that fails does not keep the
// others waiting.
func (p *Publisher) Look(ctx context.Context) error { return p.look(ctx, 0) }

// look leaves tables alone whose snapshot is younger than rest.
func (p *Publisher) look(ctx context.Context, rest time.Duration) error {
	topics, err := p.topics(ctx)
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	sweep := time.Since(p.swept) >= sweepEvery
	if sweep {
		p.swept = time.Now()
	}
	var faults []error
	for _, t := range topics {
		if ctx.Err() != nil {
			break
		}
		if err := p.table(ctx, t, rest, sweep); err != nil {
			p.counts.failures.Add(1)
			faults = append(faults, fmt.Errorf("publish %s: %w", t.segment(), err))
		}
	}
	return errors.Join(faults...)
}

// topics returns every incarnation of every topic.
func (p *Publisher) topics(ctx context.Context) ([]topic, error) {
	states, err := p.cfg.Ledger.History(ctx)
	if err != nil {
		return nil, err
	}
	found := map[topic]bool{}
	for _, s := range states {
		found[topic{s.TopicID, s.Topic}] = true
	}
	return slices.SortedFunc(maps.Keys(found), func(a, b topic) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.id.String(), b.id.String()))
	}), nil
}

// table publishes one topic.
func (p *Publisher) table(ctx context.Context, t topic, rest time.Duration, sweep bool) error {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	err := p.publish(ctx, t, rest)
	if err == nil && sweep {
		err = p.upkeep(ctx, t)
	}
	if errors.Is(err, ledger.ErrViewMoved) {
		p.counts.beaten.Add(1)
		delete(p.shown, t.id)
		return nil // the next look sees what another did
	}
	if err != nil {
		delete(p.shown, t.id)
	}
	return err
}
