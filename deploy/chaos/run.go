package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
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
	MinKills       int
	MinConflicts   int
}

// replay is the command that makes the same plan again.
func (o options) replay() string {
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
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: name a binary with --signalbox: %w", err)
	}
	path := filepath.Join(dir, "signalbox")
	fmt.Fprintln(out, "building signalbox")
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "./services/signalbox")
	build.Dir, build.Env = string(root[:len(root)-1]), append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build signalbox: %w\n%s", err, text)
	}
	return path, nil
}

// history lets the plan happen while producers write.
func (s *stage) history(ctx context.Context, p schedule, t *tally, out io.Writer) error {
	writers := produce(ctx, s.world, s.acks, t)
	faults, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(s.options.Duration, func() { cancel(nil) })
	defer timer.Stop()
	watched := make(chan error, 1)
	go func() { watched <- s.watchOver(faults, cancel) }()
	n := &nemesis{servers: s.servers, archiver: s.archivers, watch: s.world.watch, tally: t, progress: s.progress}
	err := n.run(faults, p)
	fmt.Fprintf(out, "faults end after %s\n", time.Since(n.began).Round(time.Second))
	cancel(nil)
	if err != nil {
		writers.kill()
	}
	return errors.Join(err, <-watched, writers.end(), ctx.Err())
}

// watchOver checks what is archived while it happens, if that is asked for, and ends the faults at the first violation.
func (s *stage) watchOver(ctx context.Context, end context.CancelCauseFunc) error {
	if !s.options.UntilViolation {
		return nil
	}
	for pause(ctx, 2*time.Second) {
		// A database that was just killed cannot be asked: the next look is soon enough. The flush that was looked at
		// when ctx ended would be looked at twice, so a look is never cut short.
		_ = s.checker.advance(context.WithoutCancel(ctx))
		if s.checker.found.total() > 0 || len(s.overwrites()) > 0 {
			end(errViolation)
		}
	}
	return nil
}
