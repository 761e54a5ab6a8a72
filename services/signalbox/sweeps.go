package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/remote"
)

func (s *session) sweepsCommand() *cobra.Command {
	return group("sweeps", "Search for hyperparameters: many runs of one request, the best one published", s.sweepsCreate(), s.sweepsLs(),
		also("get", s.sweepCommand("show SWEEP", "Say where a sweep stands, and what each trial reached", s.showSweep)),
		s.sweepCommand("cancel SWEEP", "End a sweep and its trials", s.cancelSweep))
}

// sweepCommand is a command about one sweep.
func (s *session) sweepCommand(use, short string, do func(context.Context, *remote.Client, registry.SweepID) error) *cobra.Command {
	return byID(s, "sweeps", s.sweeps(), registry.ParseSweepID, use, short, "5d0b1b67-6f5c-5f0e-8a43-0e1c5a1f6b77", do)
}

// sweeps completes the ids of sweeps.
func (s *session) sweeps() lister {
	return listed(s, func(ctx context.Context, c *remote.Client) ([]registry.Sweep, error) {
		page, err := c.SweepPage(ctx, registry.SweepFilter{}, "")
		return page.Sweeps, err
	}, func(v registry.Sweep) string { return v.ID.String() })
}

func (s *session) sweepsCreate() *cobra.Command {
	var file, key string
	c := &cobra.Command{
		Use: "create -f FILE|-", Short: "Start a sweep",
		Long: `Start a hyperparameter search and print its id. The file holds {"request": a training request, "search": what to try}.`,
		Example: `  signalbox sweeps create -f sweep.json
  signalbox sweeps create -f sweep.json --key nightly-2026-11-23`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return s.createSweep(c.Context(), file, key) },
	}
	c.Flags().StringVarP(&file, "file", "f", "", "request and search, JSON, - for stdin")
	c.Flags().StringVar(&key, "key", "", "the same key gives the same sweep, however often it is asked for")
	need(c, "file")
	return c
}

func (s *session) createSweep(ctx context.Context, file, key string) error {
	in, closer, err := s.open(file)
	if err != nil {
		return err
	}
	defer closer()
	body, err := io.ReadAll(io.LimitReader(in, 2*registry.MaxRequest)) // too much is the server's to refuse
	if err != nil {
		return fmt.Errorf("read the sweep: %w", err)
	}
	if !json.Valid(body) {
		return fmt.Errorf("%s: the sweep is not JSON", file)
	}
	c, err := s.control()
	if err != nil {
		return err
	}
	sweep, err := c.StartSweep(ctx, body, key)
	if err != nil {
		return fmt.Errorf("create a sweep: %w", err)
	}
	return s.print(sweep, func(t *table) { t.row(sweep.ID) })
}

func (s *session) sweepsLs() *cobra.Command {
	var model, cursor string
	var states []string
	var most int
	c := &cobra.Command{
		Use: "ls", Aliases: []string{"list"}, Short: "List sweeps, newest first", Args: cobra.NoArgs,
		Example: "  signalbox sweeps ls --model flight-delay --state running",
		RunE: func(c *cobra.Command, _ []string) error {
			f := registry.SweepFilter{Model: registry.ModelName(model), Limit: most}
			for _, state := range states {
				f.States = append(f.States, registry.SweepState(state))
			}
			return s.listSweeps(c.Context(), f, cursor)
		},
	}
	c.Flags().StringVar(&model, "model", "", "only sweeps of this model")
	c.Flags().StringSliceVar(&states, "state", nil, "only sweeps in these states")
	c.Flags().StringVar(&cursor, "cursor", "", "go on where an earlier list ended")
	c.Flags().IntVar(&most, "limit", 0, "at most so many")
	complete(c, "model", s.models())
	return c
}

// listSweeps prints one page, and to people how they see the next one.
func (s *session) listSweeps(ctx context.Context, f registry.SweepFilter, cursor string) error {
	client, err := s.control()
	if err != nil {
		return err
	}
	page, err := client.SweepPage(ctx, f, cursor)
	if err != nil {
		return fmt.Errorf("list sweeps: %w", err)
	}
	err = s.print(page, func(t *table) {
		t.row("SWEEP", "MODEL", "STATE", "TRIALS", "CREATED", "BEST")
		for _, v := range page.Sweeps {
			t.row(v.ID, v.Model, v.State, v.Search.Trials, v.Created, bestRun(v))
		}
	})
	if err == nil && page.Next != "" && s.output == formatText {
		fmt.Fprintf(s.stderr, "there are more: add --cursor %s\n", page.Next)
	}
	return err
}

// bestRun is "" before there is one.
func bestRun(v registry.Sweep) string {
	if v.Best == (registry.RunID{}) {
		return ""
	}
	return v.Best.String()
}

func (s *session) showSweep(ctx context.Context, c *remote.Client, id registry.SweepID) error {
	v, err := c.Sweep(ctx, id)
	if err != nil {
		return err
	}
	return s.print(v, func(t *table) {
		t.facts("sweep", v.ID, "model", v.Model, "state", v.State, "reason", v.Reason, "best", bestRun(v.Sweep),
			"search", fmt.Sprintf("%s %s %s", v.Search.Algorithm, v.Search.Metric, v.Search.Goal),
			"trials", fmt.Sprintf("%d of %d, %d at once", len(v.Trials), v.Search.Trials, v.Search.Parallel),
			"dataset", v.Dataset, "workflow", v.Workflow, "created", v.Created, "updated", v.Updated)
		t.row("TRIAL", "RUN", "STATE", "VALUE", "STEP", "PARAMS", "REASON")
		for _, trial := range v.Trials {
			value, step := none, none
			if trial.Value != nil {
				value = fmt.Sprintf("%.6g", *trial.Value)
			}
			if trial.Step != nil {
				step = fmt.Sprint(*trial.Step)
			}
			t.row(trial.Number, trial.Run, trial.State, value, step, drawn(trial.Params), trial.Reason)
		}
	})
}

// drawn writes parameters as name=value, by name.
func drawn(params map[string]json.RawMessage) string {
	var words []string
	for _, name := range sortedKeys(params) {
		words = append(words, name+"="+string(params[name]))
	}
	return strings.Join(words, " ")
}

func (s *session) cancelSweep(ctx context.Context, c *remote.Client, id registry.SweepID) error {
	v, err := c.CancelSweep(ctx, id)
	if err != nil {
		return err
	}
	return s.print(v, func(t *table) { t.row(fmt.Sprintf("sweep %s is %s", v.ID, v.State)) })
}
