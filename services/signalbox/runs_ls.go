package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

// also gives a command a second name.
func also(name string, c *cobra.Command) *cobra.Command {
	c.Aliases = append(c.Aliases, name)
	return c
}

// runFilter is what the flags of a list say.
type runFilter struct {
	model, workflow, dataset, pkg, since, until string
	states                                      []string
	of                                          registry.RunFilter
}

func (s *session) runsLs() *cobra.Command {
	var f runFilter
	var cursor string
	c := &cobra.Command{
		Use: "ls", Aliases: []string{"list"}, Short: "List runs, newest first", Args: cobra.NoArgs,
		Example: "  signalbox runs ls --model flight-delay --state running,failed\n  signalbox runs ls --project flights --since 24h --limit 1000",
		RunE:    func(c *cobra.Command, _ []string) error { return s.listRuns(c.Context(), f, cursor) },
	}
	text := func(to *string, name, usage string) { c.Flags().StringVar(to, name, "", usage) }
	text(&f.model, "model", "only runs of this model")
	text(&f.of.Project, "project", "only runs of this project")
	text(&f.of.Owner, "owner", "only runs of this owner")
	text(&f.of.Trainer, "trainer", "only runs that this person asked for")
	text(&f.workflow, "workflow", "only runs of this workflow, by its name or its class")
	text(&f.dataset, "dataset", "only runs that were trained on it, a digest")
	text(&f.pkg, "package", "only runs that left it, a digest")
	text(&f.since, "since", "only runs created then or later, RFC 3339, or so long ago, such as 24h")
	text(&f.until, "until", "only runs created before")
	text(&cursor, "cursor", "go on where an earlier list ended")
	c.Flags().StringSliceVar(&f.states, "state", nil, "only runs in these states")
	c.Flags().IntVar(&f.of.Limit, "limit", 0, "at most so many")
	complete(c, "model", s.models())
	complete(c, "state", func(context.Context) ([]string, error) {
		var names []string
		for _, state := range []registry.RunState{registry.RunRequested, registry.RunQueued, registry.RunRunning,
			registry.RunComplete, registry.RunFailed, registry.RunCancelled} {
			names = append(names, string(state))
		}
		return names, nil
	})
	return c
}

// listRuns prints one page, and to people how they see the next one.
func (s *session) listRuns(ctx context.Context, flags runFilter, cursor string) error {
	f, err := flags.filter(time.Now())
	if err != nil {
		return err
	}
	client, err := s.control()
	if err != nil {
		return err
	}
	page, err := client.RunPage(ctx, f, cursor)
	if err != nil {
		return fmt.Errorf("list runs: %w", err)
	}
	if err := s.print(page, func(t *table) { runRows(t, page.Runs) }); err != nil {
		return err
	}
	if page.Next != "" && s.output == formatText {
		fmt.Fprintf(s.stderr, "there are more: add --cursor %s\n", page.Next)
	}
	return nil
}

// filter reads the flags, as of now.
func (f runFilter) filter(now time.Time) (registry.RunFilter, error) {
	var errs []error
	digest := func(flag, text string) (d cas.Digest) {
		if text != "" {
			var err error
			if d, err = cas.Parse(text); err != nil {
				errs = append(errs, fmt.Errorf("--%s: %w", flag, err))
			}
		}
		return d
	}
	moment := func(flag, text string) time.Time {
		if text == "" {
			return time.Time{}
		}
		if ago, err := time.ParseDuration(text); err == nil {
			return now.Add(-ago)
		}
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			errs = append(errs, fmt.Errorf("--%s %q: want a time such as 2026-11-23T14:00:00Z, or a duration such as 24h", flag, text))
		}
		return t
	}
	out := f.of
	out.Model = registry.ModelName(f.model)
	out.Dataset, out.Package = digest("dataset", f.dataset), digest("package", f.pkg)
	out.Since, out.Until = moment("since", f.since), moment("until", f.until)
	if f.workflow != "" {
		out.Workflows = []string{f.workflow}
	}
	for _, state := range f.states {
		out.States = append(out.States, registry.RunState(state))
	}
	return out, errors.Join(errs...)
}
