package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

func (s *session) datasetCommand() *cobra.Command {
	var f registry.DatasetFilter
	ls := &cobra.Command{
		Use: "ls", Short: "List datasets, newest first", Args: cobra.NoArgs,
		Example: "  signalbox dataset ls --name flight-delay",
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := s.control()
			if err != nil {
				return err
			}
			list, err := client.ListDatasets(c.Context(), f)
			if err != nil {
				return fmt.Errorf("list datasets: %w", err)
			}
			return s.print(map[string][]registry.Dataset{"datasets": list}, func(t *table) {
				t.row("NAME", "FROM", "TO", "ROWS", "DATASET")
				for _, d := range list {
					t.row(d.Name, d.Start, d.End, d.Rows, d.ID)
				}
			})
		},
	}
	ls.Flags().StringVar(&f.Name, "name", "", "only datasets of this name")
	ls.Flags().IntVar(&f.Limit, "limit", 0, "at most so many")
	get := &cobra.Command{
		Use: "get DATASET", Short: "Say what a dataset was made of and which runs used it", Args: cobra.ExactArgs(1),
		Example:           "  signalbox dataset get sha256.…",
		ValidArgsFunction: arguments(s.datasets()),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := cas.Parse(args[0])
			if err != nil {
				return err
			}
			client, err := s.control()
			if err != nil {
				return err
			}
			d, err := client.Dataset(c.Context(), id)
			if err != nil {
				return fmt.Errorf("get dataset %s: %w", id, err)
			}
			return s.print(d, func(t *table) {
				datasetFacts(t, d.Dataset)
				sourceRows(t, d.Manifest.Sources)
				if len(d.Runs) > 0 {
					t.row()
					runRows(t, d.Runs)
				}
			})
		},
	}
	return group("dataset", "Look at datasets", ls, get)
}

func datasetFacts(t *table, d registry.Dataset) {
	t.facts("dataset", d.ID, "name", d.Name, "rows", d.Rows, "from", d.Start, "to", d.End, "watermark", d.Watermark,
		"plan", d.Plan, "spec", d.Spec, "manifest", d.Key, "created", d.Created)
}
