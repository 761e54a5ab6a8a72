package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/signalbox-ml/signalbox/registry/pgcatalog/pgserver"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
	"github.com/signalbox-ml/signalbox/services/internal/config"
	"github.com/signalbox-ml/signalbox/services/internal/devstack"
	"github.com/signalbox-ml/signalbox/services/trainer"
)

func (s *session) upCommand() *cobra.Command {
	var v settings
	c := &cobra.Command{
		Use: "up", Short: "Run the whole service on embedded parts, until Ctrl-C", Args: cobra.NoArgs,
		Long: `Run every role in one process, on a broker, an object store and a PostgreSQL that are started for it. Everything is kept
in the directory that --data names: stopped or killed, the next start goes on where this one was.

When everything is ready, DIR/endpoints.json says where it is; ` + "`signalbox env`" + ` prints the same for a shell.`,
		Example: "  signalbox up\n  signalbox up --data /srv/signalbox --listen 127.0.0.1:0",
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := v.load(s)
			if err != nil {
				return err
			}
			return s.up(c.Context(), cfg)
		},
	}
	v.bind(c)
	v.text(c, "kafka-listen", "address of the embedded broker", func(c *config.Config) *string { return &c.Kafka.Listen })
	v.text(c, "s3-listen", "address of the embedded object store", func(c *config.Config) *string { return &c.S3.Listen })
	return c
}

func (s *session) up(ctx context.Context, cfg config.Config) (err error) {
	tel, err := s.telemetry(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, shutdown(tel)) }()
	env, err := findPython(ctx, cfg, tel.Log)
	if err != nil {
		return err
	}
	stack, err := startParts(ctx, cfg, env, tel.Log)
	if err != nil {
		return fmt.Errorf("start embedded parts: %w", err)
	}
	// The directory is ours now, so what says where a stack is was left by one that was killed.
	if err := os.Remove(endpointsFile(cfg.Data)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("endpoints of an earlier stack: %w", err), stack.Stop(context.WithoutCancel(ctx)))
	}
	a := &app{cfg: embedded(cfg, stack), log: tel.Log, metrics: tel.Metrics, python: env, embedded: true}
	a.group.Log = tel.Log
	a.group.Add("embedded parts", stack.Run)
	err = a.build(ctx, allRoles(), []auth.Token{stack.Secrets.Admin})
	if err != nil {
		return errors.Join(err, a.abandon())
	}
	a.group.Add("endpoints", s.announce(a, stack))
	return a.group.Run(ctx)
}

// embedded points a configuration at the parts that were started.
func embedded(cfg config.Config, stack *devstack.Stack) config.Config {
	cfg.DatabaseURL = stack.DatabaseURL
	cfg.Kafka.Brokers = []string{stack.Kafka}
	cfg.S3.Endpoint, cfg.S3.AccessKey, cfg.S3.SecretKey = stack.S3, stack.Secrets.S3AccessKey, stack.Secrets.S3SecretKey
	cfg.RunKey, cfg.Token = stack.Secrets.RunKey, stack.Secrets.AdminToken
	return cfg
}

// startParts starts the embedded parts. Where the machine has no PostgreSQL, the Python environment can bring one.
func startParts(ctx context.Context, cfg config.Config, env python, log *slog.Logger) (*devstack.Stack, error) {
	parts := devstack.Config{
		Dir: cfg.Data, KafkaAddr: cfg.Kafka.Listen, S3Addr: cfg.S3.Listen, DatabaseURL: cfg.DatabaseURL,
		PostgresDirs: []string{trainer.PostgresBin(env.python)}, Log: log,
	}
	stack, err := devstack.Start(ctx, parts)
	if !errors.Is(err, pgserver.ErrNoBinaries) {
		return stack, err
	}
	log.Info("there is no PostgreSQL here: preparing one in the Python environment")
	interpreter, failed := env.files.Environment(ctx, "postgres")
	if failed != nil {
		return nil, fmt.Errorf("%w: install PostgreSQL 15 or newer (apt-get install postgresql), or name a running one with --database-url; "+
			"the Python environment could not bring one: %w", err, failed)
	}
	parts.PostgresDirs = []string{trainer.PostgresBin(interpreter)}
	if os.Geteuid() == 0 {
		bin, failed := trainer.SharePostgres(interpreter, devstack.SystemDir)
		if failed != nil {
			return nil, errors.Join(err, failed)
		}
		parts.PostgresDirs = []string{bin}
	}
	return devstack.Start(ctx, parts)
}

// readyWithin bounds how long `up` waits for models before it says that it is there anyway.
const readyWithin = time.Minute

// announce returns the worker that writes endpoints.json once every role is ready, and removes it first of all when the
// stack stops.
func (s *session) announce(a *app, stack *devstack.Stack) func(context.Context) error {
	return func(ctx context.Context) error {
		bounded, cancel := context.WithTimeout(ctx, readyWithin)
		defer cancel()
		if err := a.awaitReady(bounded); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			a.log.Warn("not everything is ready", "error", err)
		}
		e := Endpoints{
			Control: a.cfg.URL, Predict: a.predictURL, Metrics: a.cfg.URL + "/metrics", Token: a.cfg.Token, Kafka: stack.Kafka,
			S3: S3Endpoints{
				Endpoint: stack.S3, Region: a.cfg.S3.Region, Bucket: a.cfg.S3.Bucket,
				AccessKey: a.cfg.S3.AccessKey, SecretKey: a.cfg.S3.SecretKey,
			},
			Postgres: stack.DatabaseURL,
		}
		if err := e.write(a.cfg.Data); err != nil {
			return err
		}
		defer os.Remove(endpointsFile(a.cfg.Data)) // a file that stays is overwritten by the next start
		dir, err := filepath.Abs(a.cfg.Data)
		if err != nil {
			return fmt.Errorf("data directory: %w", err)
		}
		fmt.Fprintf(s.stdout, "signalbox is ready\n  control   %s\n  predict   %s\n  kafka     %s\n  s3        %s\n  data      %s\n"+
			"stop with Ctrl-C; in another shell: eval \"$(signalbox env --data %s)\"\n", e.Control, e.Predict, e.Kafka, e.S3.Endpoint, dir, a.cfg.Data)
		<-ctx.Done()
		return nil
	}
}
