// Command ingest measures the goals of the HTTP edge for events: what an event costs against the least that any server could
// do, what its validation costs, and what becomes of three times the load that there is room for. Every figure is a ratio of
// two that were taken in the same run on the same machine. It prints a table, and writes it to deploy/bench/results.
//
//	go run ./deploy/bench/ingest [-only i1,i2,i3,i5] [-rounds 5] [-for 4s]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/signalbox-ml/signalbox/deploy/bench/internal/figures"
	"github.com/signalbox-ml/signalbox/deploy/bench/internal/rig"
)

// options are the flags.
type options struct {
	only    string
	rounds  int
	span    time.Duration
	results string
}

// bench is what every measurement needs.
type bench struct {
	options
	dir     string
	program string // signalbox
	self    string // this program, for the part that is a process of its own
	servers *rig.Servers
	report  *figures.Report
}

// measurements by name, in the order of the table.
func measurements() ([]string, map[string]func(*bench, context.Context) error) {
	return []string{"i1", "i2", "i3", "i5"}, map[string]func(*bench, context.Context) error{
		"i1": (*bench).single, "i2": (*bench).batch, "i3": (*bench).validation, "i5": (*bench).overload,
	}
}

func main() {
	if len(os.Args) == 4 && os.Args[1] == partBare {
		exit(bare(os.Args[2], os.Args[3]))
	}
	var o options
	flag.StringVar(&o.only, "only", "", "i1, i2, i3 or i5; several with commas (default all)")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds of each measurement")
	flag.DurationVar(&o.span, "for", 4*time.Second, "how long a server is under load in each round")
	flag.StringVar(&o.results, "results", "deploy/bench/results", "`directory` of the table; empty: do not write it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit(run(ctx, o))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(ctx context.Context, o options) (err error) {
	chosen, known := choose(o.only)
	if chosen == nil {
		return fmt.Errorf("-only %q: want of %s", o.only, known)
	}
	b := &bench{options: o}
	b.report = figures.NewReport("Ingest", "go run ./deploy/bench/ingest "+strings.Join(os.Args[1:], " "), time.Now())
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	dir, remove, err := rig.Dir("bench-ingest")
	if err != nil {
		return err
	}
	b.dir = dir
	defer func() { err = errors.Join(err, remove()) }()
	bin, err := rig.Programs(ctx, dir, "signalbox")
	if err != nil {
		return err
	}
	b.program = filepath.Join(bin, "signalbox")
	if b.servers, err = rig.StartServers(ctx, dir, io.Discard); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.servers.Close()) }()
	_, all := measurements()
	for _, name := range chosen {
		b.report.Load(name)
		if err := all[name](b, ctx); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", name, err), b.publish()) // what was measured before it is worth keeping
		}
	}
	return b.publish()
}

func (b *bench) publish() error { return b.report.Publish(b.results, "ingest") }

// choose reads the flag -only; nil if it names something else than what there is.
func choose(only string) (chosen []string, known string) {
	names, _ := measurements()
	known = strings.Join(names, ", ")
	if only == "" {
		return names, known
	}
	chosen = strings.Split(only, ",")
	if slices.ContainsFunc(chosen, func(n string) bool { return !slices.Contains(names, n) }) {
		return nil, known
	}
	return chosen, known
}
