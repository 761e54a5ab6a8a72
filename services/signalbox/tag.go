package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/remote"
)

func (s *session) tagCommand() *cobra.Command {
	return group("tag", "Look at tags and move them", s.tagLs(), s.tagGet(), s.tagSet(), s.tagRollback(), s.tagHistory())
}

// aboutTag runs do with the tag that the first argument names.
func (s *session) aboutTag(verb string, do func(context.Context, *remote.Client, registry.Tag, []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		t, err := registry.ParseTag(args[0])
		if err != nil {
			return err
		}
		client, err := s.control()
		if err != nil {
			return err
		}
		if err := do(c.Context(), client, t, args[1:]); err != nil {
			return fmt.Errorf("tag %s %s: %w", verb, t, err)
		}
		return nil
	}
}

func (s *session) tagLs() *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "List tags and where they point", Args: cobra.NoArgs, Example: "  signalbox tag ls",
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := s.control()
			if err != nil {
				return err
			}
			list, err := client.ListTags(c.Context())
			if err != nil {
				return fmt.Errorf("list tags: %w", err)
			}
			return s.print(map[string][]remote.Tag{"tags": onWire(list)}, func(t *table) {
				t.row("TAG", "GENERATION", "SINCE", "BY", "PACKAGE")
				for _, v := range list {
					t.row(v.Tag, v.Generation, v.At, v.Actor, arms(v.Arms))
				}
			})
		},
	}
}

func (s *session) tagGet() *cobra.Command {
	var asOf string
	c := &cobra.Command{
		Use: "get MODEL/TAG", Short: "Say where a tag points", Args: cobra.ExactArgs(1), ValidArgsFunction: arguments(s.tags()),
		Example: "  signalbox tag get flight-delay/production --as-of 2026-11-01T00:00:00Z",
		RunE: s.aboutTag("get", func(ctx context.Context, c *remote.Client, t registry.Tag, _ []string) error {
			if asOf == "" {
				return s.state(c.Tag(ctx, t))
			}
			at, err := time.Parse(time.RFC3339, asOf)
			if err != nil {
				return fmt.Errorf("--as-of %q: want a time such as 2026-11-01T00:00:00Z", asOf)
			}
			return s.state(c.TagAsOf(ctx, t, at))
		}),
	}
	c.Flags().StringVar(&asOf, "as-of", "", "at this time instead of now")
	return c
}

func (s *session) tagHistory() *cobra.Command {
	return &cobra.Command{
		Use: "history MODEL/TAG", Short: "List every generation of a tag", Args: cobra.ExactArgs(1), ValidArgsFunction: arguments(s.tags()),
		Example: "  signalbox tag history flight-delay/production",
		RunE: s.aboutTag("history", func(ctx context.Context, c *remote.Client, t registry.Tag, _ []string) error {
			list, err := c.TagHistory(ctx, t)
			if err != nil {
				return err
			}
			return s.print(map[string][]remote.Tag{"generations": onWire(list)}, func(t *table) {
				t.row("GENERATION", "AT", "BY", "PACKAGE", "REASON")
				for _, v := range list {
					t.row(v.Generation, v.At, v.Actor, arms(v.Arms), v.Reason)
				}
			})
		}),
	}
}

// fromUnset says that a move starts from wherever the tag is.
const fromUnset = -1

func (s *session) tagSet() *cobra.Command {
	var from int64
	var reason string
	c := &cobra.Command{
		Use: "set MODEL/TAG PACKAGE", Short: "Point a tag at a package", Args: cobra.ExactArgs(2),
		Long: `Point a tag at a package. The tag moves only if it is at the generation that --from names, 0 for one that does not
exist; without it, only if nobody else moves it at the same time.`,
		Example:           "  signalbox tag set flight-delay/production sha256.… --from 7 --reason 'better on new routes'",
		ValidArgsFunction: arguments(s.tags(), s.packages()),
		RunE: s.aboutTag("set", func(ctx context.Context, c *remote.Client, t registry.Tag, rest []string) error {
			id, err := cas.Parse(rest[0])
			if err != nil {
				return err
			}
			expect, err := generation(ctx, c, t, from)
			if err != nil && !errors.Is(err, registry.ErrNotFound) { // a tag begins with its first move
				return err
			}
			return s.moved(c.MoveTag(ctx, registry.TagMove{Tag: t, Expect: expect, Arms: registry.One(id), Reason: reason}))
		}),
	}
	moveFlags(c, &from, &reason)
	need(c, "reason")
	return c
}

func (s *session) tagRollback() *cobra.Command {
	var from, to int64
	var reason string
	c := &cobra.Command{
		Use: "rollback MODEL/TAG", Short: "Bring an earlier value of a tag back, as a new generation", Args: cobra.ExactArgs(1),
		Example:           "  signalbox tag rollback flight-delay/production --reason 'wrong on holidays'\n  signalbox tag rollback flight-delay/production --to 5",
		ValidArgsFunction: arguments(s.tags()),
		RunE: s.aboutTag("rollback", func(ctx context.Context, c *remote.Client, t registry.Tag, _ []string) error {
			expect, err := generation(ctx, c, t, from)
			if err != nil {
				return err
			}
			return s.moved(c.Rollback(ctx, registry.RollbackRequest{Tag: t, To: to, Expect: expect, Reason: reason}))
		}),
	}
	moveFlags(c, &from, &reason)
	c.Flags().Int64Var(&to, "to", 0, "generation whose value comes back (default the one before the current)")
	return c
}

func moveFlags(c *cobra.Command, from *int64, reason *string) {
	c.Flags().Int64Var(from, "from", fromUnset, "generation that the tag must be at (default wherever it is)")
	c.Flags().StringVar(reason, "reason", "", "why; it stands in the tag's history for ever")
	c.Flags().Lookup("from").DefValue = "0" // which help does not print
}

// generation is where the tag must be for a move: where the caller says, else where it is now.
func generation(ctx context.Context, c *remote.Client, t registry.Tag, from int64) (int64, error) {
	if from != fromUnset {
		return from, nil
	}
	now, err := c.Tag(ctx, t)
	return now.Generation, err
}

// moved prints a new state, or says where the tag is instead.
func (s *session) moved(now registry.TagState, err error) error {
	if errors.Is(err, registry.ErrTagMoved) && now.Generation > 0 {
		return fmt.Errorf("%w; it is at generation %d, moved by %s to %s: look at it, and pass --from %d to move it on",
			err, now.Generation, now.Actor, arms(now.Arms), now.Generation)
	}
	return s.state(now, err)
}

func (s *session) state(v registry.TagState, err error) error {
	if err != nil {
		return err
	}
	return s.print(remote.TagOf(v), func(t *table) {
		t.facts("tag", v.Tag, "generation", v.Generation, "package", arms(v.Arms), "before", arms(v.Previous), "by", v.Actor,
			"reason", v.Reason, "evidence", v.Evidence, "since", v.At)
	})
}

func onWire(list []registry.TagState) []remote.Tag {
	out := make([]remote.Tag, len(list))
	for i, v := range list {
		out[i] = remote.TagOf(v)
	}
	return out
}
