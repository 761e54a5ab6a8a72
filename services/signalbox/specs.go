package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

func (s *session) specsCommand() *cobra.Command {
	var kind string
	ls := &cobra.Command{
		Use: "ls", Short: "List what is declared", Args: cobra.NoArgs,
		Example: "  signalbox specs ls --kind Model",
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := s.control()
			if err != nil {
				return err
			}
			list, err := client.ListSpecs(c.Context(), kind)
			if err != nil {
				return fmt.Errorf("list specs: %w", err)
			}
			return s.print(map[string][]registry.Spec{"specs": list}, func(t *table) {
				t.row("KIND", "NAME", "GENERATION", "UPDATED")
				for _, v := range list {
					t.row(v.Kind, v.Name, v.Generation, v.Updated)
				}
			})
		},
	}
	ls.Flags().StringVar(&kind, "kind", "", "only this kind: Stream, Dataset, Workflow or Model")
	complete(ls, "kind", kinds)
	get := &cobra.Command{
		Use: "get KIND NAME", Short: "Print a document as apply takes it", Args: cobra.ExactArgs(2),
		Example: "  signalbox specs get Model flight-delay > model.json",
		RunE: func(c *cobra.Command, args []string) error {
			client, err := s.control()
			if err != nil {
				return err
			}
			v, err := client.Spec(c.Context(), args[0], args[1])
			if err != nil {
				return fmt.Errorf("get %s %s: %w", args[0], args[1], err)
			}
			if s.output == formatJSON {
				return s.json(v)
			}
			return s.json(spec.Document{APIVersion: spec.APIVersion, Kind: v.Kind, Metadata: spec.Metadata{Name: v.Name}, Spec: v.Body})
		},
	}
	get.ValidArgsFunction = func(c *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return arguments(kinds, func(ctx context.Context) ([]string, error) {
			client, err := s.control()
			if err != nil {
				return nil, err
			}
			list, err := client.ListSpecs(ctx, args[0])
			var names []string
			for _, v := range list {
				names = append(names, v.Name)
			}
			return names, err
		})(c, args, prefix)
	}
	return group("specs", "Look at what is declared", ls, get)
}
