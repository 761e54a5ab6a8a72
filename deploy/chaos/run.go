package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// options are what the command line says.
type options struct {
	Duration       time.Duration
	Seed           uint64
	Signalbox      string
	Dir            string
	UntilViolation bool
	Keep           bool
	Mutant         string  // name of the program under test
	Aims           []fault // only these kinds; all where empty
	MinKills       int
	MinConflicts   int
}

// replay is the command that makes the same plan again.
func (o options) replay() string {
	if o.Mutant != "" {
		return fmt.Sprintf("replay: go run ./deploy/chaos --seed %d mutants %s", o.Seed, o.Mutant)
	}
	return fmt.Sprintf("replay: go run ./deploy/chaos --seed %d --duration %s", o.Seed, o.Duration)
}

// errViolation ends the faults early.
var errViolation = errors.New("a promise was broken")

// overhead bounds all that is not faults: building, starting, catching up, judging.
const overhead = 12 * time.Minute

// rampage is a whole run: servers, subjects, producers, faults, and the judgement. What it started is gone when it returns.
func rampage(ctx context.Context, o options, out io.Writer) (rep report, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, o.Duration+overhead, errors.New("the run takes far longer than its faults"))
	defer cancel()
	p := makePlan(o.Seed, o.Duration)
	if len(o.Aims) > 0 {
		p = aimedPlan(o.Seed, o.Duration, o.Aims...)
	}
	fmt.Fprintf(out, "seed %d, duration %s\n", o.Seed, o.Duration)
	p.print(out)
	dir, err := prepareDir(o)
	if err != nil {
		return rep, err
	}
	t := newTally(p)
	rep = report{options: o, dir: dir, tally: t}
	defer func() {
		if err == nil && rep.verdict() == verdictPass && o.Dir == "" && !o.Keep {
			err = os.RemoveAll(dir)
			return
		}
		fmt.Fprintf(out, "everything is kept in %s\n", dir)
	}()
	if text, err := json.MarshalIndent(p, "", " "); err != nil {
		return rep, err
	} else if err := os.WriteFile(filepath.Join(dir, "plan.json"), text, 0o644); err != nil {
		return rep, err
	}
	if o.Signalbox, err = programUnderTest(ctx, o, dir, out); err != nil {
		return rep, err
	}
	s, err := open(ctx, o, dir)
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	if err != nil {
		return rep, err
	}
	if err := s.history(ctx, p, t, out); err != nil {
		return rep, err
	}
	if err := s.judge(ctx, &rep, out); err != nil {
		return rep, err
	}
	rep.print(out)
	return rep, nil
}

// prepareDir makes the folder. The database's user must be able to reach it.
func prepareDir(o options) (string, error) {
	if o.Dir == "" {
		dir, err := os.MkdirTemp("", "signalbox-chaos-")
		if err != nil {
			return "", err
		}
		return dir, os.Chmod(dir, 0o755)
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return "", err
	}
	return dir, os.MkdirAll(dir, 0o755)
}

// programUnderTest returns the program under test, built from the tree that the harness is run in if need be.
func programUnderTest(ctx context.Context, o options, dir string, out io.Writer) (string, error) {
	if o.Signalbox != "" {
		return filepath.Abs(o.Signalbox)
	}
	path := filepath.Join(dir, "signalbox")
	fmt.Fprintln(out, "building signalbox")
	return path, buildSignalbox(ctx, path)
}

// history lets the plan happen while producers write.
func (s *stage) history(ctx context.Context, p schedule, t *tally, out io.Writer) error {
	writers := produce(ctx, s.world, s.acks, t)
	faults, cancel := context.WithCancelCause(ctx)
	planned, done := context.WithTimeout(faults, s.options.Duration)
	defer done()
	watched := make(chan struct{})
	s.began = time.Now()
	go func() {
		defer close(watched)
		s.watchOver(faults, cancel)
	}()
	n := &nemesis{servers: s.servers, archiver: s.archivers, control: s.control, watch: s.world.watch, tally: t, progress: s.progress,
		remake: func(ctx context.Context) (bool, error) { return s.remake(ctx, writers.direct) }}
	err := n.run(planned, p)
	if err == nil {
		err = n.again(faults, p)
	}
	fmt.Fprintf(out, "faults end after %s\n", time.Since(n.began).Round(time.Second))
	cancel(nil)
	if err != nil {
		writers.kill()
	}
	<-watched
	return errors.Join(err, writers.end(), ctx.Err())
}

// watchOver checks what is archived while it happens, if that is asked for, and ends the faults at the first violation.
func (s *stage) watchOver(ctx context.Context, end context.CancelCauseFunc) {
	for s.options.UntilViolation && pause(ctx, lookEvery) {
		// The flush that was looked at when ctx ended would be looked at twice, so a look is never cut short.
		if err := s.checker.look(context.WithoutCancel(ctx), s.acks); err != nil {
			fmt.Fprintf(s.progress, "%8.3fs no look: %v\n", time.Since(s.began).Seconds(), err)
		}
		s.overwrites()
		if s.violated() {
			end(errViolation)
		}
	}
}

// violated says whether the run may end, because it was to end at the first violation.
func (s *stage) violated() bool { return s.options.UntilViolation && s.checker.found.total() > 0 }
