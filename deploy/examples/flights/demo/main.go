// Command flights is the demo: it starts a stack, declares the example, replays flights into it, watches the loop turn
// data into promoted models, predicts by tag, and says how good that was.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/signalbox-ml/signalbox/deploy/examples/flights"
)

// marker says that a directory is a demo's, so that the next demo may wipe it.
const marker = ".signalbox-demo"

type options struct {
	data, python, tables string
	full                 bool
	every                time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.data, "data", "signalbox-demo", "directory of the stack's state; wiped first if an earlier demo made it")
	flag.StringVar(&o.python, "python", "", "Python interpreter that has the package signalbox")
	flag.StringVar(&o.tables, "tables", "", "directory of the whole year's tables, for --full")
	flag.BoolVar(&o.full, "full", false, "the whole year instead of January and February")
	flag.Parse()
	o.every = 24 * 24 * time.Hour
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		if log := filepath.Join(o.data, "signalbox.log"); exists(log) {
			fmt.Fprintln(os.Stderr, "the stack's log is", log)
		}
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	begin := time.Now()
	show := &screen{}
	hs, plan, err := input(o)
	if err != nil {
		return err
	}
	if err := wipe(o.data); err != nil {
		return err
	}
	bin, err := beside("signalbox")
	if err != nil {
		return err
	}
	show.opening(hs, plan)
	stack, log, err := start(ctx, o, bin)
	if err != nil {
		return err
	}
	defer log.Close()
	defer func() { err = errors.Join(err, stack.Stop(time.Minute)) }()
	client, err := stack.Client()
	if err != nil {
		return err
	}
	show.step("stack", "broker, object store, PostgreSQL and every role run in %s (%.1f s)", o.data, time.Since(begin).Seconds())
	if err := apply(ctx, o, bin, show); err != nil {
		return err
	}
	replay := flights.NewReplay(client, hs)
	replay.Sent = show.progress(replay)
	turns, err := loops(ctx, replay, plan, show)
	if err != nil {
		return err
	}
	forecasts, err := replay.Predict(ctx, 4)
	if err != nil {
		return err
	}
	show.quality(flights.Judge(forecasts), len(turns))
	trace, err := flights.Trace(ctx, client, forecasts[len(forecasts)/2].Answer.PredictionID)
	if err != nil {
		return err
	}
	show.lineage(trace, forecasts[len(forecasts)/2])
	show.next(o.data, bin, forecasts[0], time.Since(begin))
	return nil
}

// loops replays up to each window's due time and waits for the loop to turn.
func loops(ctx context.Context, replay *flights.Replay, plan flights.Plan, show *screen) ([]flights.Stages, error) {
	var turns []flights.Stages
	for k := 1; k <= plan.Loops; k++ {
		if err := replay.Until(ctx, plan.Due(k)); err != nil {
			return nil, err
		}
		bounded, cancel := context.WithTimeoutCause(ctx, 5*time.Minute, errors.New("not within five minutes"))
		s, err := flights.Turn(bounded, replay.Client, plan.WindowEnd(k))
		cancel()
		if err != nil {
			return nil, err
		}
		s.LastEvent = replay.LastAck
		show.turn(k, s)
		turns = append(turns, s)
	}
	return turns, nil
}

func input(o options) ([]flights.Happening, flights.Plan, error) {
	dir := flights.TwoMonths()
	if o.full {
		if o.tables == "" {
			return nil, flights.Plan{}, errors.New("--full needs --tables: `make demo FULL=1` fetches them")
		}
		dir = os.DirFS(o.tables)
	}
	tables, err := flights.Load(dir)
	if err != nil {
		return nil, flights.Plan{}, err
	}
	hs, err := flights.Happenings(tables)
	if err != nil {
		return nil, flights.Plan{}, err
	}
	plan, err := flights.PlanFor(hs, o.every)
	return hs, plan, err
}

func start(ctx context.Context, o options, bin string) (*flights.Stack, *os.File, error) {
	if err := os.MkdirAll(o.data, 0o755); err != nil {
		return nil, nil, err
	}
	if err := os.WriteFile(filepath.Join(o.data, marker), nil, 0o600); err != nil {
		return nil, nil, err
	}
	log, err := os.Create(filepath.Join(o.data, "signalbox.log"))
	if err != nil {
		return nil, nil, err
	}
	args := []string{"up", "--data", o.data, "--archive-max-age", "1s", "--listen", "127.0.0.1:0", "--predict-listen", "127.0.0.1:0",
		"--kafka-listen", "127.0.0.1:0", "--s3-listen", "127.0.0.1:0"}
	if o.python != "" {
		args = append(args, "--python", o.python)
	}
	bounded, cancel := context.WithTimeoutCause(ctx, 2*time.Minute, errors.New("not within two minutes"))
	defer cancel()
	stack, err := flights.StartStack(bounded, o.data, log, bin, args...)
	return stack, log, err
}

// apply writes the example's specs beside the state and declares them with the command that a user would take.
func apply(ctx context.Context, o options, bin string, show *screen) error {
	dir := filepath.Join(o.data, "example")
	if err := os.CopyFS(dir, flights.Specs); err != nil {
		return fmt.Errorf("write specs: %w", err)
	}
	cmd := exec.CommandContext(ctx, bin, "apply", "--data", o.data, "-f", filepath.Join(dir, "specs"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("signalbox apply: %w\n%s", err, out)
	}
	show.applied(dir, string(out))
	return nil
}

func wipe(dir string) error {
	if !exists(dir) {
		return nil
	}
	if !exists(filepath.Join(dir, marker)) {
		return fmt.Errorf("%s exists and no demo made it: name another directory with --data", dir)
	}
	return os.RemoveAll(dir)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// beside finds a program in the directory of this one.
func beside(name string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(self), name)
	if !exists(path) {
		return "", fmt.Errorf("%s is missing: run `make build`", path)
	}
	return path, nil
}
