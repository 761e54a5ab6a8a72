package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/remote"
)

// defaultTag is the tag that answers where none is named.
const defaultTag = "production"

func (s *session) predictCommand() *cobra.Command {
	var file string
	var members []string
	var o remote.PredictOptions
	c := &cobra.Command{
		Use: "predict MODEL[/TAG] [-f FILE|-] [--row NAME=VALUE …]", Short: "Ask a model for predictions",
		Long: `Ask the model that a tag points at, production where none is named. Rows come from a file: an array of objects, a
request {"rows": […]}, or one object after another. Or they are one row of NAME=VALUE: a value is a number, true, false
or null where it reads as one, else text; NAME='"17"' is the text 17.`,
		Example: "  signalbox predict flight-delay --row carrier=UA origin=EWR dest=ORD distance=719 departure_delay=12\n" +
			"  signalbox predict flight-delay/canary -f rows.json -o json",
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: arguments(s.predictable()),
		RunE: func(c *cobra.Command, args []string) error {
			return s.predict(c.Context(), args[0], file, slices.Concat(members, args[1:]), o)
		},
	}
	f := c.Flags()
	f.StringVarP(&file, "file", "f", "", "file of rows, JSON, - for stdin")
	f.StringArrayVar(&members, "row", nil, "NAME=VALUE of a single row; more may follow")
	f.StringVar(&o.Key, "key", "", "keeps the same caller on the same arm of a tag that is split")
	f.Int64Var(&o.MinGeneration, "min-generation", 0, "no older generation of the tag may answer")
	f.BoolVar(&o.Strict, "strict", false, "refuse members that are no features")
	c.MarkFlagsMutuallyExclusive("file", "row")
	return c
}

// predictable offers tags, and models for their default tag.
func (s *session) predictable() lister {
	return func(ctx context.Context) ([]string, error) {
		names, err := s.models()(ctx)
		if err != nil {
			return nil, err
		}
		tags, err := s.tags()(ctx)
		return slices.Concat(names, tags), err
	}
}

func (s *session) predict(ctx context.Context, name, file string, members []string, o remote.PredictOptions) error {
	if !strings.Contains(name, "/") {
		name += "/" + defaultTag
	}
	tag, err := registry.ParseTag(name)
	if err != nil {
		return err
	}
	rows, err := s.rows(file, members)
	if err != nil {
		return err
	}
	c, err := s.predictor()
	if err != nil {
		return err
	}
	p, err := c.Predict(ctx, tag, rows, o)
	if err != nil {
		return fmt.Errorf("predict %s: %w", tag, err)
	}
	return s.predictions(p)
}

// predictions prints outputs as columns, and below them what answered.
func (s *session) predictions(p remote.Prediction) error {
	outputs := make([]map[string]json.RawMessage, len(p.Predictions))
	names := map[string]bool{}
	for i, b := range p.Predictions {
		if err := json.Unmarshal(b, &outputs[i]); err != nil {
			return fmt.Errorf("answer: prediction %d: %w", i, err)
		}
		for name := range outputs[i] {
			names[name] = true
		}
	}
	columns := sortedKeys(names)
	return s.print(p, func(t *table) {
		head := []any{"PREDICTION"}
		for _, name := range columns {
			head = append(head, name)
		}
		t.row(head...)
		for i, out := range outputs {
			line := []any{none}
			if i < len(p.PredictionIDs) {
				line[0] = p.PredictionIDs[i]
			}
			for _, name := range columns {
				line = append(line, string(out[name]))
			}
			t.row(line...)
		}
		t.row()
		t.facts("package", p.Package, "generation", p.Generation)
	})
}
