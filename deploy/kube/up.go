//go:build linux

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/signalbox-ml/signalbox/deploy/kube/internal/cluster"
	"github.com/signalbox-ml/signalbox/deploy/kube/internal/programs"
)

func up(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("kube up", flag.ContinueOnError)
	cfg := cluster.Config{Out: os.Stdout, Log: os.Stderr}
	fs.StringVar((*string)(&cfg.Mode), "mode", "auto", "api, node, or auto: node where this machine can")
	fs.StringVar(&cfg.Dir, "dir", "", "`directory` of the cluster; what an earlier one left there goes, its images stay")
	fs.DurationVar(&cfg.ReadyTimeout, "ready-timeout", 0, "how long the start may take (default 2m)")
	fs.DurationVar(&cfg.Wait, "wait", 0, "how long to wait for another node of this machine to end (default 10m)")
	tree := fs.String("tree", ".", "a `directory` in the source tree")
	if err := parse(fs, args, 0); err != nil {
		return err
	}
	ctx, cancel := untilInputEnds(ctx)
	defer cancel()
	var err error
	if cfg.Programs, err = find(ctx, *tree); err != nil {
		if ctx.Err() != nil {
			return nil // told to stop before it began
		}
		return err
	}
	return cluster.Run(ctx, cfg)
}

func printPrograms(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("kube programs", flag.ContinueOnError)
	tree := fs.String("tree", ".", "a `directory` in the source tree")
	with := fs.String("with", "", "`operators` too, with commas between them: kuberay, kueue")
	if err := parse(fs, args, 0); err != nil {
		return err
	}
	finds := []func(context.Context, string, io.Writer) (programs.Set, error){programs.Find}
	for name := range strings.SplitSeq(*with, ",") {
		if name == "" {
			continue
		}
		find, ok := programs.Operators()[name]
		if !ok {
			return fmt.Errorf("kube programs: --with %s: want kuberay or kueue", name)
		}
		finds = append(finds, find)
	}
	source, err := programs.Source(*tree)
	if err != nil {
		return err
	}
	for _, find := range finds {
		set, err := find(ctx, source, os.Stderr)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(os.Stdout, set.Path("")); err != nil {
			return err
		}
	}
	return nil
}

func find(ctx context.Context, tree string) (programs.Set, error) {
	source, err := programs.Source(tree)
	if err != nil {
		return programs.Set{}, err
	}
	return programs.Find(ctx, source, os.Stderr)
}

// untilInputEnds ends with ctx or when standard input does: a parent that dies closes its end, however it dies.
func untilInputEnds(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() { // ends with the process: a read cannot be interrupted
		_, _ = io.Copy(io.Discard, os.Stdin) // an error is an end
		cancel()
	}()
	return ctx, cancel
}
