// Command peers archives the same topic with Signalbox and with what others use for it, side by side: Benthos, Kafka
// Connect with the Iceberg sink, and a Python program as it is written by hand. Each runs undisturbed, and is killed twice
// between an object and what makes it count. The peers are installed into the user's cache. It prints a table, and writes
// it to deploy/bench/results.
//
//	go run ./deploy/bench/archive/peers [-only signalbox,benthos,python,iceberg] [-modes clean,kill] [-rounds 3] [-n 1000000] [-keep DIR]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/deploy/bench/internal/figures"
	"github.com/signalbox-ml/signalbox/deploy/bench/internal/rig"
)

// options are the flags.
type options struct {
	only, modes string
	rounds, n   int
	types       int
	results     string
	keep        string
}

// bench is what every run needs.
type bench struct {
	options
	dir     string
	servers *rig.Servers
	groups  *groups
	report  *figures.Report
	ids     []uuid.UUID // of all events
	runs    int         // so far
	took    map[string]*taken
}

// few is what the small topic has of the large one's records: the difference leaves the start out.
const few = 10

func main() {
	var o options
	flag.StringVar(&o.only, "only", "", "signalbox, benthos, python or iceberg; several with commas (default all)")
	flag.StringVar(&o.modes, "modes", "clean,kill", "clean, kill or both")
	flag.IntVar(&o.rounds, "rounds", 3, "runs of each without kills, and of each with two")
	flag.IntVar(&o.n, "n", 1_000_000, "records; a tenth of them for what a start costs")
	flag.IntVar(&o.types, "types", 6, "CloudEvents types of the records")
	flag.StringVar(&o.results, "results", "deploy/bench/results", "`directory` of the table; empty: do not write it")
	flag.StringVar(&o.keep, "keep", "", "`directory` for settings and logs of all runs; empty: remove them")
	flag.Parse()
	rig.Main(func(ctx context.Context) error { return measure(ctx, o) })
}

// measure sets everything up and measures.
func measure(ctx context.Context, o options) (err error) {
	b := &bench{options: o, took: map[string]*taken{}}
	chosen, err := b.choose()
	if err != nil {
		return err
	}
	b.report = figures.NewReport("Archive and its peers", "go run ./deploy/bench/archive/peers "+strings.Join(os.Args[1:], " "), time.Now())
	dir, remove, err := rig.Dir("bench-peers")
	if err != nil {
		return err
	}
	b.dir = dir
	defer func() { err = errors.Join(err, remove()) }()
	if o.keep != "" {
		if b.dir, err = filepath.Abs(o.keep); err != nil {
			return err
		}
	}
	for _, a := range chosen {
		if err := a.install(ctx, dir); err != nil {
			return err
		}
	}
	if b.servers, err = rig.StartServers(ctx, dir, io.Discard); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.servers.Close()) }()
	if b.groups, err = newGroups(b.servers.Kafka.Addr()); err != nil {
		return err
	}
	defer b.groups.close()
	// What was measured before an error is worth keeping.
	err = b.all(ctx, chosen)
	if len(b.took) == 0 {
		return err
	}
	return errors.Join(err, b.publish(chosen))
}

// choose reads the flags that name something.
func (b *bench) choose() (chosen []archiver, err error) {
	known := []archiver{&signalbox{types: b.types, records: b.n}, python(), benthos(), &connect{}}
	for _, mode := range strings.Split(b.modes, ",") {
		if mode != "clean" && mode != "kill" {
			return nil, fmt.Errorf("-modes %q: want clean, kill or both with a comma", b.modes)
		}
	}
	if b.only == "" {
		return known, nil
	}
	for _, name := range strings.Split(b.only, ",") {
		i := slices.IndexFunc(known, func(a archiver) bool { return a.about().name == name })
		if i < 0 {
			return nil, fmt.Errorf("-only %q: want of signalbox, python, benthos, iceberg", b.only)
		}
		chosen = append(chosen, known[i])
	}
	return chosen, nil
}

// all runs each archiver in turn, round after round, first on the small topic and then on the large one.
func (b *bench) all(ctx context.Context, chosen []archiver) error {
	small := rig.Shop{Topic: "events.shop-few", Records: b.n / few, Partitions: 4, Types: b.types}
	large := rig.Shop{Topic: "events.shop", Records: b.n, Partitions: 4, Types: b.types}
	b.ids = large.IDs()
	if strings.Contains(b.modes, "clean") {
		for _, topic := range []rig.Shop{small, large} {
			if err := b.with(ctx, topic, chosen, b.undisturbed); err != nil {
				return err
			}
		}
	}
	if strings.Contains(b.modes, "kill") {
		return b.with(ctx, large, chosen, b.disturbed)
	}
	return nil
}

// with fills a topic for the time in which every archiver does something with it.
func (b *bench) with(ctx context.Context, topic rig.Shop, chosen []archiver, do func(context.Context, archiver, rig.Shop) error) error {
	if err := topic.Fill(ctx, b.servers.Kafka.Addr()); err != nil {
		return err
	}
	for range b.rounds {
		for _, a := range chosen {
			if err := do(ctx, a, topic); err != nil {
				return err
			}
		}
	}
	return b.groups.drop(ctx, topic.Topic)
}

func (b *bench) undisturbed(ctx context.Context, a archiver, topic rig.Shop) error {
	b.report.Load(fmt.Sprintf("%s %d", a.about().name, topic.Records))
	c, err := b.clean(ctx, a, topic)
	if err != nil {
		return err
	}
	b.of(a).add(c, topic.Records == b.n)
	fmt.Fprintf(os.Stderr, "%s: %d records took %.1f s of processor, %.1f s, at most %s\n", a.about().name, topic.Records, c.cpu.Seconds(), c.wall.Seconds(), megabytes(float64(c.peak)))
	return nil
}

func (b *bench) disturbed(ctx context.Context, a archiver, topic rig.Shop) error {
	b.report.Load(a.about().name + " killed")
	v, err := b.kill(ctx, a, topic)
	if err != nil {
		return err
	}
	b.of(a).victims = append(b.of(a).victims, v)
	fmt.Fprintf(os.Stderr, "%s: killed twice, %s\n", a.about().name, v.tally)
	return nil
}
