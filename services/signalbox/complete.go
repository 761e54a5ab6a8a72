package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/remote"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// completeWithin bounds what a shell waits for after the TAB key.
const completeWithin = 2 * time.Second

// lister finds the words that may come next.
type lister func(ctx context.Context) ([]string, error)

// complete offers words for a flag.
func complete(c *cobra.Command, flag string, list lister) {
	if err := c.RegisterFlagCompletionFunc(flag, func(c *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return words(c, list)
	}); err != nil {
		panic(err) // a fault of the program, which every start of it finds
	}
}

// arguments offers words for each positional argument in turn.
func arguments(lists ...lister) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) >= len(lists) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return words(c, lists[len(args)])
	}
}

// words is silent where no server answers: a completion is no place for an error.
func words(c *cobra.Command, list lister) ([]cobra.Completion, cobra.ShellCompDirective) {
	ctx := c.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, completeWithin)
	defer cancel()
	found, err := list(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

// listed asks the control plane and names what it answers.
func listed[T any](s *session, ask func(context.Context, *remote.Client) ([]T, error), name func(T) string) lister {
	return func(ctx context.Context) ([]string, error) {
		c, err := s.control()
		if err != nil {
			return nil, err
		}
		found, err := ask(ctx, c)
		out := make([]string, len(found))
		for i, v := range found {
			out[i] = name(v)
		}
		return out, err
	}
}

func (s *session) models() lister {
	return listed(s, func(ctx context.Context, c *remote.Client) ([]registry.Spec, error) {
		return c.ListSpecs(ctx, spec.KindModel)
	}, func(v registry.Spec) string { return v.Name })
}

func (s *session) tags() lister {
	return listed(s, func(ctx context.Context, c *remote.Client) ([]registry.TagState, error) {
		return c.ListTags(ctx)
	}, func(v registry.TagState) string { return v.Tag.String() })
}

func (s *session) runs() lister {
	return listed(s, func(ctx context.Context, c *remote.Client) ([]registry.Run, error) {
		return c.ListRuns(ctx, registry.RunFilter{})
	}, func(v registry.Run) string { return v.ID.String() })
}

func (s *session) packages() lister {
	return listed(s, func(ctx context.Context, c *remote.Client) ([]registry.Package, error) {
		return c.ListPackages(ctx, registry.PackageFilter{})
	}, func(v registry.Package) string { return v.ID.String() })
}

func (s *session) datasets() lister {
	return listed(s, func(ctx context.Context, c *remote.Client) ([]registry.Dataset, error) {
		return c.ListDatasets(ctx, registry.DatasetFilter{})
	}, func(v registry.Dataset) string { return v.ID.String() })
}

func kinds(context.Context) ([]string, error) {
	return []string{spec.KindStream, spec.KindDataset, spec.KindWorkflow, spec.KindModel}, nil
}
