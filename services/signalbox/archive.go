package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/signalbox-ml/signalbox/registry/remote"
)

func (s *session) archiveCommand() *cobra.Command {
	var topic string
	status := &cobra.Command{
		Use: "status", Short: "Say how far each partition is archived", Args: cobra.NoArgs,
		Long: `Say how far each partition is archived, and what is in its files. Files with rows of several partitions, as compaction makes
them, have a line of their own.`,
		Example: "  signalbox archive status --topic events.flights",
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := s.control()
			if err != nil {
				return err
			}
			list, err := client.Archive(c.Context(), topic)
			if err != nil {
				return fmt.Errorf("archive status: %w", err)
			}
			return s.print(map[string][]remote.ArchivedTopic{"topics": list}, func(t *table) { archiveRows(t, list) })
		},
	}
	status.Flags().StringVar(&topic, "topic", "", "only this topic")
	complete(status, "topic", listed(s, func(ctx context.Context, c *remote.Client) ([]remote.ArchivedTopic, error) {
		return c.Archive(ctx, "")
	}, func(v remote.ArchivedTopic) string { return v.Topic }))
	return group("archive", "Look at the archive", status, s.verifyCommand(), s.rebuildCommand(), s.dumpCommand())
}

func archiveRows(t *table, list []remote.ArchivedTopic) {
	t.row("TOPIC", "PARTITION", "NEXT OFFSET", "FILES", "ROWS", "BYTES", "ARCHIVED THROUGH", "CAUGHT UP")
	for _, topic := range list {
		for _, p := range topic.Partitions {
			t.row(topic.Topic, p.Partition, p.Next, p.Files, p.Rows, p.Bytes, when(p.Through), p.CaughtUp)
		}
		if s := topic.Several; s.Files > 0 {
			t.row(topic.Topic, "several", none, s.Files, s.Rows, s.Bytes, none, none)
		}
	}
}

// when is the zero time for none.
func when(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
