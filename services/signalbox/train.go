package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/remote"
)

func (s *session) trainCommand() *cobra.Command {
	var file, key string
	var follow bool
	c := &cobra.Command{
		Use: "train -f FILE|-", Short: "Ask for a training run",
		Long: `Ask for a training run and print its id. The file holds the training request: model_name, data, train and whatever
else the workflow wants to know.`,
		Example: "  signalbox train -f request.json --follow\n  signalbox train -f request.json --key nightly-2026-11-23",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return s.train(c.Context(), file, key, follow) },
	}
	c.Flags().StringVarP(&file, "file", "f", "", "training request, JSON, - for stdin")
	c.Flags().StringVar(&key, "key", "", "the same key gives the same run, however often it is asked for")
	c.Flags().BoolVar(&follow, "follow", false, "print the log until the run has ended, and fail unless it is complete")
	need(c, "file")
	return c
}

func (s *session) train(ctx context.Context, file, key string, follow bool) error {
	in, closer, err := s.open(file)
	if err != nil {
		return err
	}
	defer closer()
	body, err := io.ReadAll(io.LimitReader(in, registry.MaxRequest+1)) // too much is the server's to refuse
	if err != nil {
		return fmt.Errorf("read the training request: %w", err)
	}
	if !json.Valid(body) {
		return fmt.Errorf("%s: the training request is not JSON", file)
	}
	c, err := s.control()
	if err != nil {
		return err
	}
	id, err := c.SubmitTrain(ctx, body, key)
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	switch {
	case !follow:
		return s.print(id, func(t *table) { t.row(id) })
	case s.output == formatText:
		fmt.Fprintln(s.stdout, id)
	}
	run, err := s.follow(ctx, c, id)
	if err != nil {
		return err
	}
	if err := s.print(run, func(t *table) { t.row(ending(run)) }); err != nil {
		return err
	}
	if run.State != registry.RunComplete {
		return errors.New(ending(run))
	}
	return nil
}

// ending says how a run ended.
func ending(run registry.Run) string {
	text := fmt.Sprintf("run %s is %s", run.ID, run.State)
	switch {
	case run.State == registry.RunComplete:
		text += ": package " + run.Package.String()
	case run.Exception != nil:
		text += fmt.Sprintf(": %s in step %s: %s", run.Exception.Type, run.Exception.Step, run.Exception.Message)
	}
	return text
}

// follow prints the logs of a run's attempts until it has ended. Where stdout is for JSON they go to stderr.
func (s *session) follow(ctx context.Context, c *remote.Client, id registry.RunID) (registry.Run, error) {
	w := &sink{Writer: s.stdout}
	if s.output == formatJSON {
		w.Writer = s.stderr
	}
	seen := 0 // the attempt whose log was printed last
	for {
		run, err := s.awaitAttempt(ctx, c, id, seen)
		if err != nil || run.Attempt <= seen {
			return run, err
		}
		if err := s.copyLog(ctx, c, run, w); err != nil {
			return run, fmt.Errorf("follow run %s: %w", id, err)
		}
		seen = run.Attempt
	}
}

// awaitAttempt waits until a run has an attempt behind seen, or has ended.
func (s *session) awaitAttempt(ctx context.Context, c *remote.Client, id registry.RunID, seen int) (registry.Run, error) {
	for {
		run, err := c.Run(ctx, id)
		if err != nil {
			return run, fmt.Errorf("look at run %s: %w", id, err)
		}
		if run.Attempt > seen || run.State.Final() {
			return run, nil
		}
		if err := s.pause(ctx); err != nil {
			return run, err
		}
	}
}

// patience is how often in a row a log may be cut off without a new line.
const patience = 10

// copyLog prints the log of a run's attempt to its end. A connection that breaks is made again.
func (s *session) copyLog(ctx context.Context, c *remote.Client, run registry.Run, w *sink) error {
	var offset int64
	for idle := 0; idle < patience; idle++ {
		_, next, err := c.FollowLogs(ctx, run.ID, offset, w)
		var refused *remote.Error
		switch {
		case err == nil, ctx.Err() != nil, w.err != nil, errors.As(err, &refused) && !refused.Temporary():
			return err
		case next > offset:
			idle, offset = 0, next
		}
		if err := s.pause(ctx); err != nil {
			return err
		}
		// Offsets are those of one attempt: they must not be taken to the log of another.
		if now, err := c.Run(ctx, run.ID); err == nil && now.Attempt != run.Attempt {
			return nil
		}
	}
	return fmt.Errorf("%w %d times: look again with `signalbox runs logs -f %s`", remote.ErrCutOff, patience, run.ID)
}

// sink remembers that nobody reads any more.
type sink struct {
	io.Writer
	err error
}

// Write implements io.Writer.
func (s *sink) Write(b []byte) (int, error) {
	n, err := s.Writer.Write(b)
	if err != nil {
		s.err = err
	}
	return n, err
}

// pause waits between two looks.
func (s *session) pause(ctx context.Context) error {
	t := time.NewTimer(s.poll)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
