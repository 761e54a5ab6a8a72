package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
)

// dlqCommand has the commands for dead letters. They ask the brokers and not the control plane: who may use them is who may
// read, or for replays write, those topics.
func (s *session) dlqCommand() *cobra.Command {
	return group("dlq", "Look at dead letters, and send them again", s.dlqListCommand(), s.dlqShowCommand(), s.dlqReplayCommand())
}

// letterFlags choose dead letters.
type letterFlags struct{ topic, reason, stage, since, until string }

func (f *letterFlags) bind(c *cobra.Command) {
	c.Flags().StringVar(&f.topic, "topic", "", "topic of the events, such as events.flights")
	c.Flags().StringVar(&f.reason, "reason", "", "only letters of this reason")
	c.Flags().StringVar(&f.stage, "stage", "", "only letters of this consumer")
	c.Flags().StringVar(&f.since, "since", "", "only letters written since: a time (2006-01-02T15:04:05Z), or so long ago (36h)")
	c.Flags().StringVar(&f.until, "until", "", "only letters written before")
}

func (f *letterFlags) filter(now time.Time) (kafka.LetterFilter, error) {
	out := kafka.LetterFilter{Reason: f.reason, Stage: f.stage}
	var err error
	if out.Since, err = moment(f.since, now); err != nil {
		return out, fmt.Errorf("--since: %w", err)
	}
	if out.Until, err = moment(f.until, now); err != nil {
		return out, fmt.Errorf("--until: %w", err)
	}
	return out, nil
}

// moment reads a time, or how long before now; nothing is the zero time.
func moment(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, fmt.Errorf("%q: want a time such as 2006-01-02T15:04:05Z, or a duration such as 36h", text)
	}
	return at, nil
}

// brokers returns how to reach Kafka: as configured, or as the running stack has it.
func (s *session) brokers(v *settings) (kafka.Config, error) {
	cfg, err := v.load(s)
	if err == nil && len(cfg.Kafka.Brokers) == 0 {
		cfg.DatabaseURL = "" // only brokers matter here
		cfg, err = s.running(cfg)
	}
	return kafkaConfig(cfg.Kafka), err
}

// withAdmin calls f with a client of the brokers.
func (s *session) withAdmin(v *settings, f func(*kafka.Admin) error) error {
	cfg, err := s.brokers(v)
	if err != nil {
		return err
	}
	admin, err := kafka.NewAdmin(kafka.AdminConfig{Config: cfg})
	if err != nil {
		return err
	}
	defer admin.Close()
	return f(admin)
}

func (s *session) dlqListCommand() *cobra.Command {
	var v settings
	var f letterFlags
	c := &cobra.Command{
		Use: "ls", Short: "Count dead letters by topic, reason and consumer", Args: cobra.NoArgs,
		Example: "  signalbox dlq ls --since 24h\n  signalbox dlq ls --topic events.flights --reason schema_violation -o json",
		RunE: func(c *cobra.Command, _ []string) error {
			filter, err := f.filter(time.Now())
			if err != nil {
				return err
			}
			return s.withAdmin(&v, func(a *kafka.Admin) error {
				piles, err := pile(c.Context(), a, f.topic, filter)
				if err != nil {
					return fmt.Errorf("dlq ls: %w", err)
				}
				return s.print(map[string][]letterPile{"letters": piles}, func(t *table) { pileRows(t, piles) })
			})
		},
	}
	v.bind(c)
	f.bind(c)
	return c
}

// letterPile is what one consumer gave up for one reason.
type letterPile struct {
	Topic    string    `json:"topic"` // of the events
	Reason   string    `json:"reason"`
	Stage    string    `json:"stage"`
	Letters  int64     `json:"letters"`
	Replayed int64     `json:"replayed"`
	Oldest   time.Time `json:"oldest"`
	Newest   time.Time `json:"newest"`
	Last     string    `json:"last"` // position of the newest
}

func pile(ctx context.Context, a *kafka.Admin, topic string, filter kafka.LetterFilter) ([]letterPile, error) {
	topics := []string{events.DeadLetterTopic(strings.TrimSuffix(topic, events.DeadLetterTopic("")))}
	if topic == "" {
		var err error
		if topics, err = a.DeadLetterTopics(ctx); err != nil {
			return nil, err
		}
	}
	piles := map[[3]string]letterPile{}
	for _, name := range topics {
		for d, err := range a.DeadLetters(ctx, name, filter.Since) {
			if err != nil {
				return nil, err
			}
			if !filter.Match(d) {
				continue
			}
			key := [3]string{d.Origin.Topic, d.Reason, d.Stage}
			p := piles[key]
			p.Topic, p.Reason, p.Stage = key[0], key[1], key[2]
			if p.Letters++; d.Replayed {
				p.Replayed++
			}
			if p.Oldest.IsZero() || d.Buried.Before(p.Oldest) {
				p.Oldest = d.Buried
			}
			if !d.Buried.Before(p.Newest) {
				p.Newest, p.Last = d.Buried, d.At.String()
			}
			piles[key] = p
		}
	}
	out := make([]letterPile, 0, len(piles))
	for _, p := range piles {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b letterPile) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), strings.Compare(a.Reason, b.Reason), strings.Compare(a.Stage, b.Stage))
	})
	return out, nil
}

func pileRows(t *table, piles []letterPile) {
	t.row("TOPIC", "REASON", "CONSUMER", "LETTERS", "REPLAYED", "OLDEST", "NEWEST", "LAST")
	for _, p := range piles {
		t.row(p.Topic, p.Reason, p.Stage, p.Letters, p.Replayed, p.Oldest, p.Newest, p.Last)
	}
}
