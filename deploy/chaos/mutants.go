package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// mutant is a signalbox with one fault, which a build tag makes. The harness must catch it.
type mutant struct {
	name   string
	breaks string
	aims   []fault // the kinds that the fault does not survive
}

// control is the name of the one without a fault. It gets what all mutants get, and must pass.
const control = "m0"

func mutants() []mutant {
	stale := []fault{stopUpdate, stopFile}
	all := []mutant{
		{"m1", "a PUT takes away what is there", stale},
		{"m2", "the ledger lists a file before it is in the bucket", []fault{killFile, killFileDone}},
		{"m3", "Kafka's committed offset says where to go on", []fault{killCommitted, killMirror}},
		{"m4", "a refused batch is laid where the ledger is now", stale},
		{"m5", "a refused batch is dropped, and work goes on behind it", stale},
		{"m6", "a topic goes by its name", []fault{remakeTopic, killWorking}},
		{"m16", "ingest answers before Kafka has", []fault{killBoth, killRandom}},
		{"m17", "a dead letter has no headers of its original", []fault{killIngest}},
	}
	var union []fault
	for _, m := range all {
		for _, f := range m.aims {
			if !slices.Contains(union, f) {
				union = append(union, f)
			}
		}
	}
	return append([]mutant{{control, "nothing", union}}, all...)
}

// Bounds of one hunt.
const (
	huntFor     = 50 * time.Second
	huntControl = 75 * time.Second // for the kinds of all mutants
	huntTries   = 2                // with another seed each
)

// hunt runs mutants one after another, all of them where names is empty. It is an error if one is not caught, or if the
// control is.
func hunt(ctx context.Context, o options, names []string, out io.Writer) error {
	chosen := mutants()
	if len(names) > 0 {
		chosen = slices.DeleteFunc(chosen, func(m mutant) bool { return !slices.Contains(names, m.name) })
		if len(chosen) != len(names) {
			return fmt.Errorf("mutants: want names of %s", strings.Join(mutantNames(), ", "))
		}
	}
	dir, err := prepareDir(o)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "everything is kept in %s\n", dir)
	var free []string
	fmt.Fprintf(out, rowFormat, "MUTANT", "SEED", "VERDICT", "AFTER", "BREAKS", "CAUGHT BY")
	for _, m := range chosen {
		caught := false
		for try := uint64(0); try < huntTries && !caught; try++ {
			o := o
			o.Seed += try
			rep, err := huntOne(ctx, o, m, filepath.Join(dir, fmt.Sprint(m.name, "-", o.Seed)))
			if err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
			caught = m.row(out, o.Seed, rep)
		}
		if !caught {
			free = append(free, m.name)
		}
	}
	if len(free) > 0 {
		return fmt.Errorf("not as they should be: %s", strings.Join(free, ", "))
	}
	return nil
}

func mutantNames() []string {
	var names []string
	for _, m := range mutants() {
		names = append(names, m.name)
	}
	return names
}

// huntOne builds a mutant and lets its faults happen to it.
func huntOne(ctx context.Context, o options, m mutant, dir string) (rep report, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return rep, err
	}
	log, err := os.Create(filepath.Join(dir, "run.log"))
	if err != nil {
		return rep, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	o.Dir, o.UntilViolation, o.Mutant, o.Aims, o.Duration = dir, true, m.name, m.aims, huntFor
	var tags []string
	if m.name == control {
		o.Duration = huntControl
	} else {
		tags = []string{"-tags", "mutant_" + m.name}
	}
	if o.Signalbox != "" {
		o.Signalbox = filepath.Join(o.Signalbox, m.name)
		return rampage(ctx, o, log)
	}
	o.Signalbox = filepath.Join(dir, "signalbox")
	if err := buildSignalbox(ctx, o.Signalbox, tags...); err != nil {
		return rep, err
	}
	defer os.Remove(o.Signalbox) // it is large
	return rampage(ctx, o, log)
}

// rowFormat is of rows that are printed as they come.
const rowFormat = "%-6s  %-10s  %-7s  %-6s  %-52s  %s\n"

// row prints what became of a mutant, and returns whether it is as it should be.
func (m mutant) row(w io.Writer, seed uint64, rep report) bool {
	var by []string
	for _, b := range breaches() {
		if n := rep.found.counts[b]; n > 0 {
			by = append(by, fmt.Sprintf("%s (%d)", b, n))
		}
	}
	caught, after, verdict := rep.verdict() == verdictFail, "-", "free"
	switch {
	case caught:
		after, verdict = rep.caught.Round(100*time.Millisecond).String(), "caught"
	case rep.verdict() == verdictPass:
		verdict = "pass"
	default:
		by = rep.void()
	}
	fmt.Fprintf(w, rowFormat, m.name, fmt.Sprint(seed), verdict, after, m.breaks, strings.Join(by, ", "))
	if m.name == control {
		return rep.verdict() == verdictPass
	}
	return caught
}

// buildSignalbox builds the program under test from the tree that the harness is run in.
func buildSignalbox(ctx context.Context, path string, flags ...string) error {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return fmt.Errorf("find the module: name a binary with --signalbox: %w", err)
	}
	args := append(append([]string{"build"}, flags...), "-o", path, "./services/signalbox")
	build := exec.CommandContext(ctx, "go", args...)
	build.Dir, build.Env = strings.TrimSpace(string(root)), append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build signalbox: %w\n%s", err, text)
	}
	return nil
}
