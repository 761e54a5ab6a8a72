package tagwatch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
)

// follower reads a compacted topic from its start and goes on until ctx ends.
type follower interface {
	Follow(ctx context.Context, topic string, onEvent func(events.Event), onCaughtUp func()) error
}

// lister asks the registry.
type lister interface {
	ListTags(ctx context.Context) ([]registry.TagState, error)
}

// Config of a Watch. One of Follower and Tags may be nil.
type Config struct {
	Follower follower // of package events/kafka
	Tags     lister   // a *remote.Client, or whatever lists tags
	// MinPoll and MaxPoll bound the random time between two questions to the registry; 0 means 5 s and 30 s.
	MinPoll, MaxPoll time.Duration
	// MinBackoff and MaxBackoff bound the pause after a source failed; 0 means 250 ms and 15 s.
	MinBackoff, MaxBackoff time.Duration
	Log                    *slog.Logger
}

func (c Config) withDefaults() Config {
	c.MinPoll = cmp.Or(c.MinPoll, 5*time.Second)
	c.MaxPoll = cmp.Or(c.MaxPoll, max(c.MinPoll, 30*time.Second))
	c.MinBackoff = cmp.Or(c.MinBackoff, 250*time.Millisecond)
	c.MaxBackoff = cmp.Or(c.MaxBackoff, max(c.MinBackoff, 15*time.Second))
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c Config) validate() error {
	var faults []error
	if c.Follower == nil && c.Tags == nil {
		faults = append(faults, errors.New("tagwatch: Follower or Tags is required"))
	}
	if c.MinPoll < 0 || c.MaxPoll < c.MinPoll || c.MinBackoff < 0 || c.MaxBackoff < c.MinBackoff {
		faults = append(faults, errors.New("tagwatch: a duration is negative, or a maximum below its minimum"))
	}
	return errors.Join(faults...)
}

// View is what is known of the tags.
type View struct {
	// Tags are in the order of their names.
	Tags []registry.TagState
	// Complete says that at least one source has been read whole: a tag that is missing does not exist, or was made
	// since.
	Complete bool
}

// Watch keeps the view. It is safe for concurrent use.
type Watch struct {
	cfg     Config
	changed chan struct{}

	mu       sync.Mutex
	tags     map[registry.Tag]registry.TagState
	complete bool
}

// New returns a Watch that knows nothing. Run fills it.
func New(cfg Config) (*Watch, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Watch{cfg: cfg, changed: make(chan struct{}, 1), tags: map[registry.Tag]registry.TagState{}}, nil
}

// Changed gives a value after the view has changed. Several changes may be one value: look at View after each.
func (w *Watch) Changed() <-chan struct{} { return w.changed }

// View returns what is known now.
func (w *Watch) View() View {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := View{Complete: w.complete, Tags: make([]registry.TagState, 0, len(w.tags))}
	for _, s := range w.tags {
		v.Tags = append(v.Tags, s)
	}
	slices.SortFunc(v.Tags, func(a, b registry.TagState) int { return cmp.Compare(a.Tag.String(), b.Tag.String()) })
	return v
}

// Run keeps the view up to date until ctx ends.
func (w *Watch) Run(ctx context.Context) error {
	var g errgroup.Group
	if w.cfg.Follower != nil {
		g.Go(func() error { w.follow(ctx); return nil })
	}
	if w.cfg.Tags != nil {
		g.Go(func() error { w.poll(ctx); return nil })
	}
	return g.Wait()
}

// take applies states that are newer than what is known. whole says that they are all there are.
func (w *Watch) take(whole bool, states ...registry.TagState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	news := whole && !w.complete
	w.complete = w.complete || whole
	for _, s := range states {
		known := w.tags[s.Tag]
		switch {
		case s.Generation > known.Generation:
			w.tags[s.Tag] = s
			news = true
		case s.Generation == known.Generation && !slices.Equal(s.Arms, known.Arms):
			w.cfg.Log.Error("two values of one generation: the first is kept", "tag", s.Tag, "generation", s.Generation)
		case s.Generation < known.Generation && whole:
			// Either the answer is older than an event that overtook it, or the registry was restored from a backup.
			w.cfg.Log.Debug("registry is behind", "tag", s.Tag, "generation", s.Generation, "known", known.Generation)
		}
	}
	if !news {
		return
	}
	select {
	case w.changed <- struct{}{}:
	default: // one is waiting: whoever takes it sees this change, too
	}
}

// stateOf reads what an event says.
func stateOf(ev events.Event) (registry.TagState, error) {
	var s registry.TagState
	if ev.Type() != events.TypeTagMoved {
		return s, fmt.Errorf("event of type %s", ev.Type())
	}
	var data events.TagMoved
	if err := ev.DataAs(&data); err != nil {
		return s, err
	}
	var faults [4]error
	s.Tag, faults[0] = registry.ParseTag(data.Tag)
	s.Arms, faults[1] = armsOf(data.Next)
	s.Previous, faults[2] = armsOf(data.Previous)
	faults[3] = s.Evidence.UnmarshalText([]byte(data.Evidence))
	s.Generation, s.Actor, s.Reason, s.At = data.Generation, data.Actor, data.Reason, ev.Time()
	if s.Generation < 1 || len(s.Arms) == 0 {
		return s, fmt.Errorf("generation %d with %d arms", s.Generation, len(s.Arms))
	}
	return s, errors.Join(faults[:]...)
}
