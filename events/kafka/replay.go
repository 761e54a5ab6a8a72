package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/signalbox-ml/signalbox/events"
)

// ErrReplayTakenOver means that another replay of the same dead letters has begun: it goes on from what this one committed.
var ErrReplayTakenOver = errors.New("another replay of these dead letters took over: what was sent counts, and it sends the rest")

// Bounds of one transaction. Readers of a topic wait behind one that is open, and behind one that was left open by a
// process that died as long as replayTimeout.
const (
	replayLetters = 500
	replayBytes   = 4 << 20
	replayTimeout = 15 * time.Second
)

// LetterFilter chooses dead letters. Zero members choose all.
type LetterFilter struct {
	Reason, Stage string
	Except        string    // not this stage
	Since, Until  time.Time // Since <= time of the letter < Until
}

// Match reports whether the filter chooses d.
func (f LetterFilter) Match(d DeadLetter) bool {
	return (f.Reason == "" || f.Reason == d.Reason) && (f.Stage == "" || f.Stage == d.Stage) &&
		(f.Except == "" || f.Except != d.Stage) &&
		!d.Buried.Before(f.Since) && (f.Until.IsZero() || d.Buried.Before(f.Until))
}

// ReplayConfig configures Replay.
type ReplayConfig struct {
	Config
	// Topic whose dead letters are sent again: the topic of the records, not that of the letters. Required.
	Topic string
	// To is the topic that they are sent to; empty means Topic. Each target is a replay of its own.
	To string
	// Filter chooses letters.
	Filter LetterFilter
	// Limit bounds how many are sent; 0 means all.
	Limit int
	// Rate bounds how many are sent in a second; 0 means as many as Kafka takes.
	Rate float64
	// DryRun sends nothing and takes nothing over.
	DryRun bool
	// Each is called with every letter that was sent, in order, after it is committed; with DryRun, with those that would be.
	Each func(DeadLetter)
}

func (c ReplayConfig) withDefaults() ReplayConfig {
	c.Config = c.Config.withDefaults()
	c.To = cmp.Or(c.To, c.Topic)
	if c.Each == nil {
		c.Each = func(DeadLetter) {}
	}
	return c
}

func (c ReplayConfig) validate() error {
	faults := []error{c.Config.validate()}
	suffix := events.DeadLetterTopic("")
	if c.Topic == "" || strings.HasSuffix(c.Topic, suffix) {
		faults = append(faults, fmt.Errorf("replay: topic %q: name the topic that the letters are about, without %s", c.Topic, suffix))
	}
	if strings.HasSuffix(c.To, suffix) {
		faults = append(faults, fmt.Errorf("replay: target %q is itself for dead letters", c.To))
	}
	if c.Limit < 0 || c.Rate < 0 || math.IsNaN(c.Rate) || math.IsInf(c.Rate, 0) {
		faults = append(faults, fmt.Errorf("replay: limit %d, rate %g: want 0 or more", c.Limit, c.Rate))
	}
	return errors.Join(faults...)
}

// Replayed is what a replay did.
type Replayed struct {
	// Sent letters are in the target topic now; with DryRun they would be.
	Sent int64 `json:"sent"`
	// Before are letters that the filter chooses and an earlier replay has sent.
	Before int64 `json:"sent_before"`
	// Repeated are further letters about a failure of which one was sent: a consumer was cut off and wrote it again.
	Repeated int64 `json:"repeated"`
	// Left are letters that Limit left.
	Left int64 `json:"left"`
}

// Replay sends dead letters again: key, value and headers of the original record, to its partition where that exists, with
// the headers that link it to its letter. Every letter is sent exactly once to each target, however often replays are cut
// off or repeated, and whichever filters they have: records and the marks of their letters are committed in one
// transaction, and who begins a replay ends the one before it. Readers have to read what is committed only.
//
// When ctx ends the transaction under way is completed, and the context's error is returned with what was done.
func Replay(ctx context.Context, cfg ReplayConfig) (Replayed, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return Replayed{}, err
	}
	adm, err := NewAdmin(AdminConfig{Config: cfg.Config})
	if err != nil {
		return Replayed{}, err
	}
	defer adm.Close()
	r := &replay{cfg: cfg, adm: adm, letters: events.DeadLetterTopic(cfg.Topic)}
	if err := r.run(ctx); err != nil {
		return r.done, fmt.Errorf("replay %s: %w", r.letters, explainReplay(cfg.explain(err)))
	}
	return r.done, nil
}

// explainReplay names the errors that people can do something about.
func explainReplay(err error) error {
	switch {
	case errors.Is(err, kerr.ProducerFenced), errors.Is(err, kerr.InvalidProducerEpoch), errors.Is(err, kerr.InvalidProducerIDMapping):
		return fmt.Errorf("%w (%w)", ErrReplayTakenOver, err)
	case errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.UnknownTopicID):
		return fmt.Errorf("%w (%w)", events.ErrNoTopic, err)
	case errors.Is(err, kerr.MessageTooLarge), errors.Is(err, kerr.RecordListTooLarge):
		return fmt.Errorf("%w (%w)", events.ErrTooLarge, err)
	}
	return err
}
