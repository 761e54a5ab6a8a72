package tagwatch

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

// follow reads the topic until ctx ends, from its start again after each failure.
func (w *Watch) follow(ctx context.Context) {
	backoff := w.cfg.MinBackoff
	for ctx.Err() == nil {
		err := w.cfg.Follower.Follow(ctx, events.TopicTags, func(ev events.Event) {
			s, err := stateOf(ev)
			if err != nil {
				w.cfg.Log.Warn("event left out", "event_id", ev.ID(), "error", err)
				return
			}
			w.take(false, s)
		}, func() {
			backoff = w.cfg.MinBackoff
			w.take(true)
		})
		if ctx.Err() != nil {
			return
		}
		w.cfg.Log.Warn("tags cannot be followed", "error", err, "next_try", backoff)
		pause(ctx, backoff)
		backoff = min(2*backoff, w.cfg.MaxBackoff)
	}
}

// poll asks the registry until ctx ends.
func (w *Watch) poll(ctx context.Context) {
	backoff := w.cfg.MinBackoff
	for ctx.Err() == nil {
		states, err := w.cfg.Tags.ListTags(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			w.cfg.Log.Warn("tags cannot be listed", "error", err, "next_try", backoff)
			pause(ctx, backoff)
			backoff = min(2*backoff, w.cfg.MaxBackoff)
		default:
			backoff = w.cfg.MinBackoff
			w.take(true, states...)
			pause(ctx, w.cfg.MinPoll+rand.N(w.cfg.MaxPoll-w.cfg.MinPoll+1)) // at random, so that servers spread
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func armsOf(list []events.Arm) ([]registry.Arm, error) {
	out := make([]registry.Arm, len(list))
	for i, a := range list {
		d, err := cas.Parse(a.Package)
		if err != nil {
			return nil, err
		}
		out[i] = registry.Arm{Package: d, Weight: a.Weight}
	}
	return out, nil
}
