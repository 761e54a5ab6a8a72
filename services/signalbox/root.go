package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/signalbox-ml/signalbox/registry/bucket/gateway"
)

// version is set by the build.
var version = "unversioned"

// run executes one command line and returns the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	s := newSession(stdin, stdout, stderr, os.LookupEnv)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once: somebody does not want to wait for the drain.
	context.AfterFunc(ctx, stop)
	root := newRoot(s)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	if err := root.ExecuteContext(ctx); err != nil {
		return s.complain(err)
	}
	return 0
}

func newRoot(s *session) *cobra.Command {
	root := &cobra.Command{
		Use:   "signalbox",
		Short: "Events to models and back: archive, datasets, training, promotion, predict by tag",
		Long: `Signalbox archives application events from Kafka to S3, builds datasets from the archive, trains models when a dataset
is ready, keeps content-addressed packages with promotion tags, and predicts by tag.

  signalbox up                 the whole service on embedded parts, until Ctrl-C
  signalbox serve [ROLE...]    roles against real Kafka, S3 and PostgreSQL

Every other command speaks to a running service.`,
		Version: version, SilenceUsage: true, SilenceErrors: true,
	}
	s.bind(root)
	root.AddCommand(s.upCommand(), s.serveCommand(), s.doctorCommand(), gatewayCommand())
	root.AddCommand(clientCommands(s)...)
	return root
}

// gatewayCommand is the process in which `up` runs its object store. It reads its settings from standard input and ends
// when that closes, so it cannot outlive its parent.
func gatewayCommand() *cobra.Command {
	return &cobra.Command{
		Use: "s3-gateway", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return gateway.ChildMain(c.Context(), os.Stdin) },
	}
}
