package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/remote"
)

func (s *session) runsCommand() *cobra.Command {
	return group("runs", "Look at training runs, end them and repeat them", s.runsLs(),
		also("show", s.runCommand("get RUN", "Say where a run stands and how it got there", s.getRun)), s.runsLogs(),
		s.runCommand("cancel RUN", "End a run", s.cancelRun), s.runsRetry(),
		s.runCommand("metrics RUN", "Print the seconds and figures of each step", s.runMetrics),
		s.runCommand("result RUN", "Print what the run left, as GET /job/{id}/result answers", s.runResult))
}

// runCommand is a command about one run.
func (s *session) runCommand(use, short string, do func(context.Context, *remote.Client, registry.RunID) error) *cobra.Command {
	return byID(s, "runs", s.runs(), registry.ParseRunID, use, short, "9081e64f-b2c0-455e-bcaa-c1c211fa124b", do)
}

// byID is a command of a group about one object: its argument is an id, which known completes.
func byID[ID fmt.Stringer](s *session, group string, known lister, parse func(string) (ID, error), use, short, example string,
	do func(context.Context, *remote.Client, ID) error,
) *cobra.Command {
	verb, _, _ := strings.Cut(use, " ")
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1), ValidArgsFunction: arguments(known),
		Example: "  signalbox " + group + " " + verb + " " + example,
		RunE: func(c *cobra.Command, args []string) error {
			id, err := parse(args[0])
			if err != nil {
				return err
			}
			client, err := s.control()
			if err != nil {
				return err
			}
			if err := do(c.Context(), client, id); err != nil {
				return fmt.Errorf("%s %s %s: %w", group, verb, id, err)
			}
			return nil
		},
	}
}

func runRows(t *table, list []registry.Run) {
	t.row("RUN", "MODEL", "STATE", "ATTEMPT", "CREATED", "PACKAGE")
	for _, r := range list {
		t.row(r.ID, r.Model, r.State, r.Attempt, r.Created, r.Package)
	}
}

func (s *session) getRun(ctx context.Context, c *remote.Client, id registry.RunID) error {
	run, err := c.Run(ctx, id)
	if err != nil {
		return err
	}
	return s.print(run, func(t *table) { runFacts(t, run) })
}

func runFacts(t *table, run registry.Run) {
	again, sweep, trial := "", "", ""
	if run.RetryOf != (registry.RunID{}) {
		again = run.RetryOf.String()
	}
	if !run.Sweep.IsZero() {
		sweep, trial = run.Sweep.String(), strconv.Itoa(run.Trial)
	}
	t.facts("run", run.ID, "retry of", again, "sweep", sweep, "trial", trial, "model", run.Model, "state", run.State, "attempt", run.Attempt,
		"compute class", run.ComputeClass, "executor", run.Executor, "dataset", run.Dataset,
		"workflow", run.Workflow, "package", run.Package, "created", run.Created, "updated", run.Updated)
	if e := run.Exception; e != nil {
		t.facts("exception", e.Type, "step", e.Step, "message", e.Message)
	}
	for _, name := range sortedKeys(run.Artifacts) {
		t.row("artifact "+name, run.Artifacts[name])
	}
	for _, h := range run.History {
		t.row(h.At, fmt.Sprintf("%s (attempt %d) %s", h.State, h.Attempt, h.Reason))
	}
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func (s *session) runsLogs() *cobra.Command {
	var follow bool
	c := s.runCommand("logs RUN", "Print the log of a run's newest attempt", func(ctx context.Context, c *remote.Client, id registry.RunID) error {
		if follow {
			_, err := s.follow(ctx, c, id)
			return err
		}
		log, err := c.Logs(ctx, id)
		if err != nil {
			return err
		}
		defer log.Close()
		_, err = io.Copy(s.stdout, log)
		return err
	})
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the run has ended")
	return c
}

func (s *session) cancelRun(ctx context.Context, c *remote.Client, id registry.RunID) error {
	run, err := c.CancelRun(ctx, id)
	if err != nil {
		return err
	}
	return s.print(run, func(t *table) { t.row(ending(run)) })
}

func (s *session) runsRetry() *cobra.Command {
	var key string
	c := s.runCommand("retry RUN", "Run a run that failed or was cancelled again, as a new run", func(ctx context.Context, c *remote.Client, id registry.RunID) error {
		run, err := c.RetryRun(ctx, id, key)
		if err != nil {
			return err
		}
		return s.print(run, func(t *table) { t.row(run.ID) })
	})
	c.Flags().StringVar(&key, "key", "", "the same key gives the same new run, however often it is asked for")
	return c
}

func (s *session) runResult(ctx context.Context, c *remote.Client, id registry.RunID) error {
	b, err := c.JobResult(ctx, id)
	if err != nil {
		return err
	}
	return s.json(b)
}

func (s *session) runMetrics(ctx context.Context, c *remote.Client, id registry.RunID) error {
	b, err := c.RunMetrics(ctx, id)
	if err != nil {
		return err
	}
	var doc struct {
		Steps []struct {
			Step    string             `json:"step"`
			Seconds float64            `json:"seconds"`
			Metrics map[string]float64 `json:"metrics"`
		} `json:"steps"`
		Metrics json.RawMessage `json:"metrics"`
		Series  map[string][]struct {
			Value float64 `json:"value"`
		} `json:"series"`
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	return s.print(b, func(t *table) {
		t.row("STEP", "SECONDS", "FIGURES")
		for _, st := range doc.Steps {
			var words []string
			for _, name := range sortedKeys(st.Metrics) {
				words = append(words, fmt.Sprintf("%s=%g", name, st.Metrics[name]))
			}
			t.row(st.Step, fmt.Sprintf("%.3f", st.Seconds), strings.Join(words, " "))
		}
		if len(doc.Metrics) > 0 {
			t.row("metrics", none, string(doc.Metrics))
		}
		for _, name := range sortedKeys(doc.Series) {
			if points := doc.Series[name]; len(points) > 0 {
				t.row("series "+name, none, fmt.Sprintf("%d points, the last %g", len(points), points[len(points)-1].Value))
			}
		}
	})
}
