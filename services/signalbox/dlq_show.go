package main

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
)

func (s *session) dlqShowCommand() *cobra.Command {
	var v settings
	c := &cobra.Command{
		Use: "show TOPIC/PARTITION/OFFSET", Short: "Show one dead letter with the record that it is about", Args: cobra.ExactArgs(1),
		Long: `Show a dead letter by its position in the dead letter topic, as "dlq ls" names it. With -o json key, value and values of
headers are exact, in base64, and null where the record has null.`,
		Example: "  signalbox dlq show events.flights.dlq/0/17",
		RunE: func(c *cobra.Command, args []string) error {
			at, err := parsePosition(args[0])
			if err != nil {
				return err
			}
			return s.withAdmin(&v, func(a *kafka.Admin) error {
				d, err := a.DeadLetter(c.Context(), at)
				if err != nil {
					return fmt.Errorf("dlq show: %w", err)
				}
				return s.print(letterOf(d), func(t *table) { letterRows(t, d) })
			})
		},
	}
	v.bind(c)
	return c
}

func parsePosition(text string) (events.Position, error) {
	parts := strings.Split(text, "/")
	if len(parts) == 3 && parts[0] != "" {
		partition, err1 := strconv.ParseInt(parts[1], 10, 32)
		offset, err2 := strconv.ParseInt(parts[2], 10, 64)
		if err1 == nil && err2 == nil && partition >= 0 && offset >= 0 {
			return events.Position{Topic: parts[0], Partition: int32(partition), Offset: offset}, nil
		}
	}
	return events.Position{}, fmt.Errorf("position %q: want topic/partition/offset, such as events.flights.dlq/0/17", text)
}

// shownLetter is a dead letter as JSON.
type shownLetter struct {
	Position    string        `json:"position"`
	Buried      time.Time     `json:"buried_at"`
	Reason      string        `json:"reason"`
	Detail      string        `json:"detail"`
	Stage       string        `json:"stage"`
	Schema      string        `json:"schema,omitempty"`
	Version     string        `json:"app_version,omitempty"`
	Attempt     int           `json:"attempt"`
	FirstFailed time.Time     `json:"first_failed,omitzero"`
	Origin      string        `json:"origin"`
	OriginID    string        `json:"origin_topic_id,omitempty"`
	Appended    time.Time     `json:"origin_ts,omitzero"`
	Before      string        `json:"replay_of,omitempty"`
	Replayed    bool          `json:"replayed"`
	Key         []byte        `json:"key"`
	Value       []byte        `json:"value"`
	Headers     []shownHeader `json:"headers"`
}

type shownHeader struct {
	Key   string `json:"key"`
	Value []byte `json:"value"`
}

func letterOf(d kafka.DeadLetter) shownLetter {
	out := shownLetter{
		Position: d.At.String(), Buried: d.Buried, Reason: d.Reason, Detail: d.Detail, Stage: d.Stage, Schema: d.Schema, Version: d.Version,
		Attempt: d.Attempt, FirstFailed: d.FirstFailed, Origin: d.Origin.String(), OriginID: d.OriginID, Appended: d.Origin.AppendTime,
		Before: d.Before, Replayed: d.Replayed, Key: d.Key, Value: d.Value, Headers: []shownHeader{},
	}
	for _, h := range d.Headers {
		out.Headers = append(out.Headers, shownHeader(h))
	}
	return out
}

func letterRows(t *table, d kafka.DeadLetter) {
	t.facts("letter", d.At, "reason", d.Reason, "detail", d.Detail, "consumer", d.Stage, "version", d.Version, "schema", d.Schema,
		"attempts", d.Attempt, "failed first", d.FirstFailed, "buried", d.Buried, "record", d.Origin.Position, "appended", d.Origin.AppendTime,
		"topic id", d.OriginID, "replay of", d.Before, "replayed", d.Replayed, "key", readable(d.Key))
	for _, h := range d.Headers {
		t.row("header "+h.Key, readable(h.Value))
	}
	t.row("value", readable(d.Value))
}

// readable is text as it is, and anything else in hexadecimal digits; null is not the same as nothing.
func readable(b []byte) string {
	switch {
	case b == nil:
		return "null"
	case len(b) == 0:
		return `""`
	case !utf8.Valid(b) || strings.ContainsFunc(string(b), func(r rune) bool { return unicode.IsControl(r) && !unicode.IsSpace(r) }):
		return "hex " + hex.EncodeToString(b)
	}
	return string(b)
}
