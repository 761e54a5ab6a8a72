package main

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
)

// copies is the stage of letters whose records stay where they are: the group of the role conform.
const copies = "signalbox.conform"

// replayFlags say how letters are sent again.
type replayFlags struct {
	letterFlags
	to, rate string
	limit    int
	dry      bool
}

func (s *session) dlqReplayCommand() *cobra.Command {
	var v settings
	var f replayFlags
	c := &cobra.Command{
		Use: "replay --topic TOPIC", Short: "Send dead letters again, each exactly once", Args: cobra.NoArgs,
		Long: `Append the records of dead letters to their topic again: key, value and headers as they were, the same event id, and the
header sb_dlq_replayed with the letter's position. All consumers of the topic see them. An event that fails again becomes a
new letter, which goes on counting attempts and can be replayed, too.

Every letter is sent exactly once to each target, whatever becomes of this command: repeat it after a crash, or with other
filters, and it sends what was not sent. Records and the marks of their letters are committed in one transaction; of two
replays of one topic, the later one takes over. Consumers must read committed records only, as those of Signalbox do.
What the role conform found wrong is still in its topic, so it is not sent there again unless --stage asks for it.
The brokers must allow to write to both topics, and the transactional id signalbox.dlq.replay.TOPIC.dlq.`,
		Example: "  signalbox dlq replay --topic events.flights --reason schema_violation --dry-run\n" +
			"  signalbox dlq replay --topic events.flights --since 24h --rate 100/s",
		RunE: func(c *cobra.Command, _ []string) error { return s.dlqReplay(c, &v, f) },
	}
	v.bind(c)
	f.bind(c)
	c.Flags().StringVar(&f.to, "to", "", "topic to send them to (default where they came from)")
	c.Flags().StringVar(&f.rate, "rate", "", "at most so many a second, such as 100/s (default as fast as Kafka takes them)")
	c.Flags().IntVar(&f.limit, "limit", 0, "at most so many (default all)")
	c.Flags().BoolVar(&f.dry, "dry-run", false, "only say what would be sent")
	need(c, "topic")
	return c
}

// replayReport is what `dlq replay` prints.
type replayReport struct {
	kafka.Replayed
	Topic  string `json:"topic"`
	To     string `json:"to"`
	DryRun bool   `json:"dry_run"`
	First  string `json:"first,omitempty"` // letters that were sent
	Last   string `json:"last,omitempty"`
}

func (s *session) dlqReplay(c *cobra.Command, v *settings, f replayFlags) error {
	filter, err := f.filter(time.Now())
	if err != nil {
		return err
	}
	rate, err := parseRate(f.rate)
	if err != nil {
		return err
	}
	brokers, err := s.brokers(v)
	if err != nil {
		return err
	}
	topic := strings.TrimSuffix(f.topic, events.DeadLetterTopic(""))
	report := replayReport{Topic: topic, To: cmp.Or(f.to, topic), DryRun: f.dry}
	if report.To == topic && f.stage != copies {
		filter.Except = copies
	}
	var fault error
	report.Replayed, fault = kafka.Replay(c.Context(), kafka.ReplayConfig{
		Config: brokers, Topic: topic, To: f.to, Filter: filter, Limit: f.limit, Rate: rate, DryRun: f.dry,
		Each: func(d kafka.DeadLetter) {
			if report.Last = d.At.String(); report.First == "" {
				report.First = report.Last
			}
		},
	})
	if fault != nil && report.Sent == 0 {
		return fault
	}
	sent := "sent"
	if f.dry {
		sent = "would be sent"
	}
	err = s.print(report, func(t *table) {
		t.facts("topic", report.Topic, "to", report.To, sent, report.Sent, "first", report.First, "last", report.Last,
			"sent before", report.Before, "repeated letters", report.Repeated, "left by the limit", report.Left)
	})
	if fault != nil {
		fault = fmt.Errorf("%w: %d letters were sent, run it again for the rest", fault, report.Sent)
	}
	return errors.Join(err, fault)
}

// parseRate reads a number a second, with or without "/s".
func parseRate(text string) (float64, error) {
	if text == "" {
		return 0, nil
	}
	rate, err := strconv.ParseFloat(strings.TrimSuffix(text, "/s"), 64)
	if err != nil || !(rate > 0 && rate <= 1e6) {
		return 0, fmt.Errorf("--rate %q: want a number a second, such as 100/s", text)
	}
	return rate, nil
}
