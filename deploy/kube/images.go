//go:build linux

package main

import (
	"context"
	"flag"
	"strings"

	"github.com/signalbox-ml/signalbox/deploy/kube/internal/image"
	"github.com/signalbox-ml/signalbox/deploy/kube/internal/rootfs"
)

func buildImage(args []string) error {
	fs := flag.NewFlagSet("kube image build", flag.ContinueOnError)
	var cfg image.Config
	root := fs.String("root", "", "`directory` of the image's files")
	out := fs.String("out", "", "`file` to write")
	fs.StringVar(&cfg.Name, "name", "", "name and tag, such as localhost/trainer:1")
	fs.StringVar(&cfg.User, "user", "", "numeric `uid:gid`")
	fs.Func("entrypoint", "program and arguments, separated by commas", func(s string) error {
		cfg.Entrypoint = strings.Split(s, ",")
		return nil
	})
	fs.Func("env", "`KEY=VALUE`, any number of times", func(s string) error {
		cfg.Env = append(cfg.Env, s)
		return nil
	})
	if err := parse(fs, args, 0); err != nil {
		return err
	}
	built, err := image.Build(*root, *out, cfg)
	if err != nil {
		return err
	}
	return printJSON(built)
}

func loadImage(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("kube image load", flag.ContinueOnError)
	socket := fs.String("socket", "", "containerd's `socket`, as kube up printed it")
	if err := parse(fs, args, 1); err != nil {
		return err
	}
	loaded, err := image.Load(ctx, *socket, fs.Arg(0))
	if err != nil {
		return err
	}
	return printJSON(loaded)
}

func makeRoot(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("kube rootfs python", flag.ContinueOnError)
	var cfg rootfs.Python
	fs.StringVar(&cfg.Interpreter, "python", "", "`interpreter` of the environment, as services/trainer/setup-env.sh prints it")
	fs.StringVar(&cfg.Source, "source", "", "`directory` that holds the package signalbox: services/trainer/src")
	fs.StringVar(&cfg.Out, "out", "", "empty `directory` to fill")
	if err := parse(fs, args, 0); err != nil {
		return err
	}
	made, err := rootfs.MakePython(ctx, cfg)
	if err != nil {
		return err
	}
	return printJSON(made)
}
