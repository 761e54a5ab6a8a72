// Command archive measures the goals of the archive: what a record costs, what memory it takes, how soon it is visible, and
// how peers do the same. Every figure is a ratio of two that were taken in the same run on the same machine. It prints a
// table, and writes it to deploy/bench/results.
//
//	go run ./deploy/bench/archive [-only a1,a2,a3,a4,a7] [-rounds 5] [-n 1000000]
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
	n       int
	results string
	profile string
}

// bench is what every measurement needs.
type bench struct {
	options
	dir     string
	program string // signalbox
	self    string // this program, for the parts that are processes of their own
	servers *rig.Servers
	report  *figures.Report
	topics  map[string]bool // that are filled, until the measurement is over
}

// measurements by name, in the order of the table.
func measurements() ([]string, map[string]func(*bench, context.Context) error) {
	return []string{"a1", "a2", "a3", "a4", "a7"}, map[string]func(*bench, context.Context) error{
		"a1": (*bench).cost, "a2": (*bench).encoding, "a3": (*bench).share, "a4": (*bench).memory, "a7": (*bench).freshness,
	}
}

func main() {
	if len(os.Args) > 1 && strings.HasPrefix(os.Args[1], "part:") {
		rig.Exit(part(os.Args[1], os.Args[2:]))
	}
	var o options
	flag.StringVar(&o.only, "only", "", "a1, a2, a3, a4 or a7; several with commas (default all)")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds of a1, a2 and a3")
	flag.IntVar(&o.n, "n", 1_000_000, "records of a1, a3 and a4")
	flag.StringVar(&o.results, "results", "deploy/bench/results", "`directory` of the table; empty: do not write it")
	flag.StringVar(&o.profile, "profile", "", "`directory` for CPU profiles of a3; empty: none")
	flag.Parse()
	rig.Main(func(ctx context.Context) error { return run(ctx, o) })
}

func run(ctx context.Context, o options) (err error) {
	names, all := measurements()
	chosen, err := figures.Choose(o.only, names)
	if err != nil {
		return err
	}
	b := &bench{options: o, topics: map[string]bool{}}
	b.report = figures.NewReport("Archive", "go run ./deploy/bench/archive "+strings.Join(os.Args[1:], " "), time.Now())
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	dir, remove, err := rig.Dir("bench-archive")
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
	err = b.report.Measure(chosen, func(name string) error { return errors.Join(all[name](b, ctx), b.drop(ctx)) })
	return errors.Join(err, b.report.Publish(b.results, "archive"))
}
