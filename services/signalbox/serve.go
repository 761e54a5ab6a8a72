package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/signalbox-ml/signalbox/services/internal/auth"
	"github.com/signalbox-ml/signalbox/services/internal/config"
	"github.com/signalbox-ml/signalbox/services/internal/telemetry"
)

// role is one part of the service that can run in a process of its own.
type role string

// The roles. Any number of processes may have the same one.
const (
	roleControl  role = "control"  // HTTP for events, training and the registry; the outbox; retraining
	roleArchive  role = "archive"  // log to Parquet
	roleGenerate role = "generate" // archive to datasets
	roleTrain    role = "train"    // runs
	roleEvaluate role = "evaluate" // candidates against champions
	roleConform  role = "conform"  // events of streams against their schemas
	rolePredict  role = "predict"  // HTTP for predictions
)

func allRoles() []role {
	return []role{roleControl, roleArchive, roleGenerate, roleTrain, roleEvaluate, roleConform, rolePredict}
}

func (s *session) serveCommand() *cobra.Command {
	var v settings
	names := make([]string, 0, len(allRoles()))
	for _, r := range allRoles() {
		names = append(names, string(r))
	}
	c := &cobra.Command{
		Use: "serve [ROLE...]", Short: "Run roles against real Kafka, S3 and PostgreSQL", ValidArgs: names,
		Long: `Run some roles, or all without any named, against the servers of the configuration. The roles:

  control    HTTP API for events, training and the registry; relay of the outbox; retraining
  archive    Kafka to Parquet in S3
  generate   datasets from the archive
  train      training runs, as local processes or on a cluster
  evaluate   candidates against the packages in production, and promotion
  conform    check of what producers write to Kafka themselves
  predict    HTTP API for predictions by tag

Any number of processes may run the same role.`,
		Example: "  signalbox serve --config signalbox.yaml\n  signalbox serve predict --config signalbox.yaml",
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := v.load(s)
			if err != nil {
				return err
			}
			roles, err := parseRoles(args)
			if err != nil {
				return err
			}
			return s.serve(c.Context(), cfg, roles)
		},
	}
	v.bind(c)
	return c
}

func parseRoles(args []string) ([]role, error) {
	if len(args) == 0 {
		return allRoles(), nil
	}
	var roles []role
	for _, a := range args {
		if !slices.Contains(allRoles(), role(a)) {
			return nil, fmt.Errorf("role %q: want some of %s", a, strings.Trim(fmt.Sprint(allRoles()), "[]"))
		}
		roles = append(roles, role(a))
	}
	return roles, nil
}

func (s *session) serve(ctx context.Context, cfg config.Config, roles []role) (err error) {
	if err := checkServe(cfg, roles); err != nil {
		return err
	}
	tokens, err := readTokens(cfg.Tokens)
	if err != nil {
		return err
	}
	tel, err := s.telemetry(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, shutdown(tel)) }()
	a := &app{cfg: cfg, log: tel.Log, metrics: tel.Metrics}
	a.group.Log = tel.Log
	if slices.Contains(roles, roleTrain) && cfg.Training.Uses(config.BackendLocal) || cfg.Training.Python != "" {
		if a.python, err = findPython(ctx, cfg, tel.Log); err != nil {
			return err
		}
	}
	if err := a.build(ctx, roles, tokens); err != nil {
		return errors.Join(err, a.abandon())
	}
	a.group.Add("ready", func(ctx context.Context) error {
		if a.awaitReady(ctx) == nil {
			tel.Log.Info("ready", "roles", fmt.Sprint(roles), "control", a.cfg.URL, "predict", a.predictURL)
		}
		<-ctx.Done()
		return nil
	})
	return a.group.Run(ctx)
}

// checkServe lists what the roles miss. Predictions need neither the database nor the object store's credentials.
func checkServe(cfg config.Config, roles []role) error {
	if !slices.ContainsFunc(roles, func(r role) bool { return r != rolePredict }) {
		return cfg.CheckPredict()
	}
	return errors.Join(cfg.CheckServe(), cfg.CheckTraining(), needURL(cfg, roles))
}

func needURL(cfg config.Config, roles []role) error {
	if cfg.URL == "" && !slices.Contains(roles, roleControl) {
		return errors.New("url is not set: say where the control plane is, in the configuration file or in SIGNALBOX_URL")
	}
	return nil
}

func readTokens(path string) ([]auth.Token, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read tokens: %w", err)
	}
	tokens, err := auth.ParseTokens(b)
	if err != nil {
		return nil, fmt.Errorf("tokens %s: %w", path, err)
	}
	return tokens, nil
}

func (s *session) telemetry(ctx context.Context, cfg config.Config) (*telemetry.Telemetry, error) {
	level, err := logLevel(cfg.LogLevel)
	if err != nil {
		return nil, err
	}
	return telemetry.Setup(ctx, telemetry.Config{Version: version, LogFormat: cfg.LogFormat, LogLevel: level, LogOutput: s.stderr})
}

func shutdown(t *telemetry.Telemetry) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return t.Shutdown(ctx)
}
