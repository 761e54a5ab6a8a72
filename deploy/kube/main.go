//go:build linux

// Command kube runs a real Kubernetes on one machine for tests and developers, and makes the images that its pods run.
// Everything is built from source or comes with the system: no Docker, no registry, nothing downloaded as a binary.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const usage = `usage:
  kube up [--mode api|node|auto] --dir DIR [--ready-timeout 2m] [--wait 10m]
      run a cluster until standard input ends; one line of JSON says how to reach it
  kube programs [--with kuberay,kueue]
      build the programs of Kubernetes, if nobody did, and print their folder; then each operator, and its folder
  kube image build --root DIR --name NAME:TAG --out FILE [--user UID:GID] [--entrypoint A,B] [--env K=V]...
      make an image of a folder
  kube image load --socket SOCKET FILE
      give an image to a cluster's containerd
  kube rootfs python --python PYTHON --source DIR --out DIR
      make the root file system of the trainer from a Python environment
`

// errUsage asks for the text above.
var errUsage = errors.New("unknown command")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := dispatch(ctx, os.Args[1:]); {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func dispatch(ctx context.Context, args []string) error {
	command, rest := "", []string(nil)
	if len(args) > 0 {
		command, rest = args[0], args[1:]
	}
	if (command == "image" || command == "rootfs") && len(rest) > 0 {
		command, rest = command+" "+rest[0], rest[1:]
	}
	switch command {
	case "up":
		return up(ctx, rest)
	case "programs":
		return printPrograms(ctx, rest)
	case "image build":
		return buildImage(rest)
	case "image load":
		return loadImage(ctx, rest)
	case "rootfs python":
		return makeRoot(ctx, rest)
	}
	return errUsage
}

// parse reads a command's flags and refuses words that are not flags, unless it takes that many.
func parse(fs *flag.FlagSet, args []string, words int) error {
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() != words {
		return fmt.Errorf("%s: %d words beside its flags, want %d", fs.Name(), fs.NArg(), words)
	}
	return nil
}

func printJSON(v any) error { return json.NewEncoder(os.Stdout).Encode(v) }
