// Command signalbox-iceberg publishes the archive as tables of Apache Iceberg, with the configuration of signalbox. It is a
// program of its own because iceberg-go weighs more than all the rest. Any number may run: one works, the others wait.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/signalbox-ml/signalbox/services/internal/config"
	"github.com/signalbox-ml/signalbox/services/internal/telemetry"
)

// version is set by the build.
var version = "unversioned"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once: somebody does not want to wait for the drain.
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Args[1:], os.Stderr, os.LookupEnv)
	stop()
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "signalbox-iceberg:", err)
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	file    string
	once    bool
	version bool
}

func parse(args []string, stderr io.Writer) (o options, err error) {
	f := flag.NewFlagSet("signalbox-iceberg", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.file, "config", "", "configuration file of signalbox (YAML)")
	f.BoolVar(&o.once, "once", false, "publish what is new now, and end")
	f.BoolVar(&o.version, "version", false, "print the version, and end")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("%q: no arguments are wanted", f.Args())
	}
	return o, nil
}

// run executes one command line.
func run(ctx context.Context, args []string, stderr io.Writer, lookup func(string) (string, bool)) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if o.version {
		_, err := fmt.Fprintln(stderr, version)
		return err
	}
	cfg, err := config.Load(o.file, lookup)
	if err != nil {
		return err
	}
	if err := cfg.CheckIceberg(); err != nil {
		return err
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		return fmt.Errorf("log level %q: want debug, info, warn or error", cfg.LogLevel)
	}
	tel, err := telemetry.Setup(ctx, telemetry.Config{Version: version, LogFormat: cfg.LogFormat, LogLevel: level, LogOutput: stderr})
	if err != nil {
		return err
	}
	defer func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		err = errors.Join(err, tel.Shutdown(ending))
	}()
	s, err := open(ctx, cfg, tel)
	if err != nil {
		return err
	}
	defer s.close()
	if o.once {
		return s.publisher.Look(ctx) // without waiting for one that runs on and on
	}
	return s.run(ctx)
}
