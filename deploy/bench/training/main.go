// Command training measures the goals of training: how soon a requested run is a Job, what a run costs beside its
// workflow, what a burst of events does, and how a peer does the same. Every figure is a ratio of two that were taken in
// the same run on the same machine. It prints a table, and writes it to deploy/bench/results.
//
//	go run ./deploy/bench/training [-only t1|t2|t3|peer] [-rounds 5]
package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/signalbox-ml/signalbox/deploy/bench/internal/figures"
	"github.com/signalbox-ml/signalbox/deploy/bench/internal/rig"
)

// options are the flags.
type options struct {
	only     string
	rounds   int
	requests int // of T1, a round
	repeats  int // of T2, a dataset
	long     bool
	n        int // datasets of T3
	copies   int // of each event of T3
	events   int // of the peer, a round
	results  string
	keep     string
}

// bench is what every measurement needs.
type bench struct {
	options
	bin    string // folder of the programs
	dir    string // of everything that is written while measuring
	report *figures.Report
	kube   *cluster // started by whoever needs it first
}

// measurements by name, in the order of the table.
func measurements() ([]string, map[string]func(*bench, context.Context) error) {
	return []string{"t1", "t2", "t3", "peer"}, map[string]func(*bench, context.Context) error{
		"t1": (*bench).jobLatency, "t2": (*bench).runShare, "t3": (*bench).burst, "peer": (*bench).peer,
	}
}

func main() {
	var o options
	flag.StringVar(&o.only, "only", "", "t1, t2, t3 or peer; several with commas (default all)")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds of t1 and peer")
	flag.IntVar(&o.requests, "requests", 200, "requests of a round of t1")
	flag.IntVar(&o.repeats, "repeats", 7, "repeated runs of t2, on each dataset")
	flag.BoolVar(&o.long, "year", true, "t2 on the dataset of the whole year too; needs deploy/examples/flights/fetch.py to have tables")
	flag.IntVar(&o.n, "n", 10_000, "datasets of t3")
	flag.IntVar(&o.copies, "copies", 10, "how often t3 delivers each event")
	flag.IntVar(&o.events, "events", 10, "events of a round of peer")
	flag.StringVar(&o.results, "results", "deploy/bench/results", "`directory` of the table; empty: do not write it")
	flag.StringVar(&o.keep, "keep", "", "`directory` for state and logs, kept; empty: a temporary one")
	flag.Parse()
	rig.Main(func(ctx context.Context) error { return run(ctx, o) })
}

func run(ctx context.Context, o options) (err error) {
	names, known := measurements()
	chosen, err := figures.Choose(o.only, names)
	if err != nil {
		return err
	}
	b := &bench{options: o, dir: o.keep,
		report: figures.NewReport("Training", "go run ./deploy/bench/training "+strings.Join(os.Args[1:], " "), time.Now())}
	if b.dir == "" {
		if b.dir, err = os.MkdirTemp("", "signalbox-bench-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	} else if b.dir, err = filepath.Abs(b.dir); err != nil {
		return err
	}
	if b.bin, err = rig.Programs(ctx, b.dir, "signalbox", "signalbox-duckdb", "kube"); err != nil {
		return err
	}
	defer func() {
		if b.kube != nil {
			err = errors.Join(err, b.kube.close())
		}
	}()
	err = b.report.Measure(chosen, func(name string) error { return known[name](b, ctx) })
	return errors.Join(err, b.report.Publish(b.results, "training"))
}
