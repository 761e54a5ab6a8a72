package kafka

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/signalbox-ml/signalbox/events"
)

// ErrNoDeadLetter means that there is no such dead letter, or that retention has removed it.
var ErrNoDeadLetter = errors.New("no such dead letter: list what there is with `signalbox dlq ls`")

// DeadLetterTopics returns the dead letter topics that there are, sorted.
func (a *Admin) DeadLetterTopics(ctx context.Context) ([]string, error) {
	all, err := a.adm.ListTopics(ctx)
	if err != nil {
		return nil, fmt.Errorf("dead letter topics: %w", err)
	}
	suffix := events.DeadLetterTopic("")
	return slices.DeleteFunc(all.Names(), func(name string) bool { return !strings.HasSuffix(name, suffix) }), nil
}

// DeadLetters yields the letters of a dead letter topic that were written at or after since, partition by partition. It
// reads what is committed now, and reads it twice: whether a letter was replayed stands behind it.
func (a *Admin) DeadLetters(ctx context.Context, topic string, since time.Time) iter.Seq2[DeadLetter, error] {
	return func(yield func(DeadLetter, error) bool) {
		spans, err := a.spans(ctx, topic, since, a.adm.ListCommittedOffsets)
		if err != nil {
			yield(DeadLetter{}, fmt.Errorf("dead letters of %s: %w", topic, err))
			return
		}
		done, err := a.marks(ctx, spans)
		if err != nil {
			yield(DeadLetter{}, err)
			return
		}
		a.letters(ctx, spans, done)(yield)
	}
}

// DeadLetter returns the letter at a position. Errors wrap ErrNoDeadLetter where there is none.
func (a *Admin) DeadLetter(ctx context.Context, at events.Position) (DeadLetter, error) {
	spans, err := a.spans(ctx, at.Topic, time.Time{}, a.adm.ListCommittedOffsets)
	if err != nil {
		return DeadLetter{}, fmt.Errorf("dead letter %s: %w", at, err)
	}
	for _, s := range spans {
		if s.tp.Partition != at.Partition || at.Offset < s.first || at.Offset >= s.end {
			continue
		}
		s.start = at.Offset
		done, err := a.marks(ctx, []span{s})
		if err != nil {
			return DeadLetter{}, err
		}
		for d, err := range a.letters(ctx, []span{s}, done) {
			if err != nil {
				return DeadLetter{}, err
			}
			if d.At != at {
				break
			}
			return d, nil
		}
	}
	return DeadLetter{}, fmt.Errorf("dead letter %s: %w", at, ErrNoDeadLetter)
}

// letters yields the letters of spans; done has the marks.
func (a *Admin) letters(ctx context.Context, spans []span, done map[mark]bool) iter.Seq2[DeadLetter, error] {
	return func(yield func(DeadLetter, error) bool) {
		for _, s := range spans {
			for r, err := range a.Records(ctx, s.tp, s.start, s.end) {
				if err != nil {
					yield(DeadLetter{}, err)
					return
				}
				d, ok := parseDeadLetter(s.tp, r)
				if !ok {
					continue
				}
				if d.Replayed = done[mark{d.name(), d.Origin.Topic}]; !yield(d, nil) {
					return
				}
			}
		}
	}
}

// marks returns which letters were replayed, and to where. It reads from the start: a letter may have been written again
// long after the mark of the first one.
func (a *Admin) marks(ctx context.Context, spans []span) (map[mark]bool, error) {
	done := map[mark]bool{}
	for _, s := range spans {
		for r, err := range a.Records(ctx, s.tp, s.first, s.end) {
			if err != nil {
				return nil, err
			}
			if m, ok := parseMark(r); ok {
				done[m] = true
			}
		}
	}
	return done, nil
}

// span is a part of a partition whose log begins at first.
type span struct {
	tp                events.TopicPartition
	first, start, end int64
}

// spans returns what the partitions of topic have since a time, in the order of their numbers. ends says where they end:
// after the last record, or before the first that is not committed.
func (a *Admin) spans(ctx context.Context, topic string, since time.Time, ends func(context.Context, ...string) (kadm.ListedOffsets, error)) ([]span, error) {
	details, err := a.adm.ListTopics(ctx, topic)
	if err != nil {
		return nil, err
	}
	if err := details[topic].Err; errors.Is(err, kerr.UnknownTopicOrPartition) {
		return nil, fmt.Errorf("%w (%w)", ErrNoDeadLetter, err)
	} else if err != nil {
		return nil, err
	}
	firsts, err1 := a.adm.ListStartOffsets(ctx, topic)
	starts, err2 := a.adm.ListOffsetsAfterMilli(ctx, max(since.UnixMilli(), 0), topic)
	stops, err3 := ends(ctx, topic)
	if err := errors.Join(err1, err2, err3, firsts.Error(), starts.Error(), stops.Error()); err != nil {
		return nil, err
	}
	var out []span
	for _, p := range details[topic].Partitions.Numbers() {
		s := span{tp: events.TopicPartition{TopicID: details[topic].ID, Topic: topic, Partition: p}}
		s.first, s.start, s.end = firsts[topic][p].Offset, starts[topic][p].Offset, stops[topic][p].Offset
		out = append(out, s)
	}
	return out, nil
}
