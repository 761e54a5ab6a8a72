package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/remote"
)

func (s *session) lineageCommand() *cobra.Command {
	return &cobra.Command{
		Use: "lineage PACKAGE|PREDICTION", Short: "Say where a package or a prediction comes from, back to offsets of the log",
		Long: `Say where a package comes from and which tags it has: its runs, their datasets, and the archive files and so the offsets
of the log that those were built from. For a prediction's id, as predict prints it, say which package answered, too.`,
		Example:           "  signalbox lineage sha256.…\n  signalbox lineage 019a0b7e-3f0a-7c4e-9d2c-5b1d6a0e4c11",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: arguments(s.packages()),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := s.control()
			if err != nil {
				return err
			}
			if err := s.lineage(c.Context(), client, args[0]); err != nil {
				return fmt.Errorf("lineage of %s: %w", args[0], err)
			}
			return nil
		},
	}
}

func (s *session) lineage(ctx context.Context, c *remote.Client, what string) error {
	if _, err := uuid.Parse(what); err == nil {
		l, err := c.PredictionLineage(ctx, what)
		if err != nil {
			return err
		}
		return s.print(l, func(t *table) { predictionLineage(t, l) })
	}
	id, err := cas.Parse(what)
	if err != nil {
		return errors.New("want a package, sha256.…, or the id of a prediction, a UUID")
	}
	l, err := c.Lineage(ctx, id)
	if err != nil {
		return err
	}
	return s.print(l, func(t *table) { packageLineage(t, l) })
}

func predictionLineage(t *table, l remote.PredictionLineage) {
	p, o := l.Prediction, l.Package
	t.facts("prediction", p.ID, "made", p.Made, "position", position(p.Topic, p.Partition, p.Offset), "archive file", p.File,
		"model", p.Model, "tag", p.Tag)
	if p.Generation > 0 {
		t.facts("generation", p.Generation)
	}
	t.facts("package", p.Package)
	if o.Run != nil {
		t.facts("run", o.Run.ID)
	}
	if o.Dataset != nil {
		datasetLines(t, *o.Dataset)
	}
	sourceRows(t, l.Package.Sources)
}

func packageLineage(t *table, l registry.Lineage) {
	t.facts("package", l.Package.ID, "model", l.Package.Model, "created", l.Package.Created)
	for _, tag := range l.Tags {
		words := make([]string, len(tag.Generations))
		for i, g := range tag.Generations {
			words[i] = fmt.Sprint(g)
		}
		text := tag.Tag + ", generation " + strings.Join(words, ", ")
		if tag.Current {
			text += " (now)"
		}
		t.row("tag", text)
	}
	for _, r := range l.Runs {
		t.row()
		t.facts("run", r.Run.ID, "created", r.Run.Created, "workflow", r.Run.Workflow)
		if d := r.Dataset; d != nil {
			datasetLines(t, d.Dataset)
			sourceRows(t, d.Sources)
		}
	}
}

func datasetLines(t *table, d registry.Dataset) {
	t.facts("dataset", d.ID, "name", d.Name, "rows", d.Rows, "from", d.Start, "to", d.End)
}

// sourceRows lists archive files with their offsets, under a line of its own.
func sourceRows(t *table, list []manifest.Source) {
	if len(list) == 0 {
		return
	}
	t.row()
	t.row("SOURCE", "OFFSETS", "ROWS", "ARCHIVE FILE")
	for _, f := range list {
		if len(f.Spans) == 0 {
			t.row(fmt.Sprintf("%s/%d", f.Topic, f.Partition), fmt.Sprintf("[%d, %d)", f.Start, f.End), f.Rows, f.Key)
		}
		for i, s := range f.Spans { // the rest of the line is said once
			rows, key := any(none), none
			if i == 0 {
				rows, key = f.Rows, f.Key
			}
			t.row(fmt.Sprintf("%s/%d", f.Topic, s.Partition), fmt.Sprintf("[%d, %d)", s.Start, s.End), rows, key)
		}
	}
}

func position(topic string, partition int32, offset int64) string {
	return fmt.Sprintf("%s/%d/%d", topic, partition, offset)
}
