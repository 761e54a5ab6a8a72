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
	"io"
	"os"
	"path/filepath"
	"strings"
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
		rig.Exit(bare(os.Args[2], os.Args[3]))
	}
	var o options
	flag.StringVar(&o.only, "only", "", "i1, i2, i3 or i5; several with commas (default all)")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds of each measurement")
	flag.DurationVar(&o.span, "for", 4*time.Second, "how long a server is under load in each round")
	flag.StringVar(&o.results, "results", "deploy/bench/results", "`directory` of the table; empty: do not write it")
	flag.Parse()
	rig.Main(func(ctx context.Context) error { return run(ctx, o) })
}

func run(ctx context.Context, o options) (err error) {
	names, all := measurements()
	chosen, err := figures.Choose(o.only, names)
	if err != nil {
		return err
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
	err = b.report.Measure(chosen, func(name string) error { return all[name](b, ctx) })
	return errors.Join(err, b.report.Publish(b.results, "ingest"))
}
