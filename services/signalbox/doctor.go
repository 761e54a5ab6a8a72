package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/signalbox-ml/signalbox/consumers/generate/procengine"
	"github.com/signalbox-ml/signalbox/events/kafka"
	"github.com/signalbox-ml/signalbox/registry/bucket/probe"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog"
	"github.com/signalbox-ml/signalbox/services/internal/config"
)

func (s *session) doctorCommand() *cobra.Command {
	var v settings
	c := &cobra.Command{
		Use: "doctor", Short: "Check everything that the service stands on, and say what to do about faults", Args: cobra.NoArgs,
		Long: "Check Kafka, PostgreSQL, the object store and the dataset engine of the configuration, or of the stack that runs on --data.",
		RunE: func(c *cobra.Command, _ []string) error { return s.doctor(c.Context(), &v, everything) },
	}
	v.bind(c)
	var w settings
	probing := &cobra.Command{
		Use: "storage", Short: "Try out whether the object store keeps its promises", Args: cobra.NoArgs,
		Long: `Try conditional writes under a race, checksums, ranges and signed requests on the object store. The service refuses a
store that fails: some accept two writers of one key, or bytes that contradict their checksum.`,
		RunE: func(c *cobra.Command, _ []string) error { return s.doctor(c.Context(), &w, storage) },
	}
	w.bind(probing)
	c.AddCommand(probing)
	return c
}

// finding is the outcome for one part.
type finding struct {
	Part   string `json:"part"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

// look examines one part and says what it saw.
type look struct {
	part string
	at   func(ctx context.Context, cfg config.Config) (string, error)
}

func everything() []look {
	return []look{
		{"kafka", lookAtKafka}, {"postgresql", lookAtDatabase}, {"dataset engine", lookAtEngine}, {"object store", lookAtStorage},
	}
}

func storage() []look { return []look{{"object store", lookAtStorage}} }

// errUnhealthy is what doctor ends with: what is wrong was printed.
var errUnhealthy = errors.New("some parts are not fit: see above")

func (s *session) doctor(ctx context.Context, v *settings, looks func() []look) error {
	cfg, err := v.load(s)
	if err != nil {
		return err
	}
	if cfg, err = s.running(cfg); err != nil {
		return err
	}
	var found []finding
	healthy := true
	for _, l := range looks() {
		bounded, cancel := context.WithTimeout(ctx, time.Minute)
		detail, err := l.at(bounded, cfg)
		cancel()
		if err != nil {
			healthy, detail = false, err.Error()
		}
		found = append(found, finding{Part: l.part, OK: err == nil, Detail: detail})
	}
	err = s.print(found, func(t *table) {
		for _, f := range found {
			verdict := "ok"
			if !f.OK {
				verdict = "FAULT"
			}
			t.lines(verdict, f.Part, f.Detail)
		}
	})
	if err == nil && !healthy {
		err = errUnhealthy
	}
	return err
}

// running fills in the parts of the stack that runs on the data directory, where the configuration names none.
func (s *session) running(cfg config.Config) (config.Config, error) {
	if cfg.DatabaseURL != "" || len(cfg.Kafka.Brokers) > 0 {
		return cfg, nil
	}
	if _, err := os.Stat(endpointsFile(s.dir())); errors.Is(err, fs.ErrNotExist) {
		return cfg, fmt.Errorf("nothing to examine: name servers with --config, or start a stack with `signalbox up --data %s`", s.dir())
	}
	e, err := readEndpoints(s.dir())
	if err != nil {
		return cfg, err
	}
	cfg.DatabaseURL, cfg.Kafka.Brokers = e.Postgres, []string{e.Kafka}
	cfg.S3.Endpoint, cfg.S3.Region, cfg.S3.Bucket = e.S3.Endpoint, e.S3.Region, e.S3.Bucket
	cfg.S3.AccessKey, cfg.S3.SecretKey = e.S3.AccessKey, e.S3.SecretKey
	return cfg, nil
}

func lookAtKafka(ctx context.Context, cfg config.Config) (string, error) {
	a, err := kafka.NewAdmin(kafka.AdminConfig{Config: kafkaConfig(cfg.Kafka)})
	if err != nil {
		return "", err
	}
	defer a.Close()
	return fmt.Sprintf("%v answers", cfg.Kafka.Brokers), a.Ping(ctx)
}

func lookAtDatabase(ctx context.Context, cfg config.Config) (string, error) {
	c, err := pgcatalog.Open(ctx, pgcatalog.Config{URL: cfg.DatabaseURL, MaxConns: 1})
	if err != nil {
		return "", err
	}
	defer c.Close()
	return "answers, and is new enough", c.Ping(ctx)
}

func lookAtEngine(context.Context, config.Config) (string, error) {
	_, err := procengine.New(procengine.Config{})
	return procengine.Program + " is installed", err
}

func lookAtStorage(ctx context.Context, cfg config.Config) (string, error) {
	b, err := openBucket(cfg.S3)
	if err != nil {
		return "", err
	}
	defer b.Close()
	report, err := probe.Run(ctx, b, probe.Config{})
	if err != nil {
		return "", err
	}
	if err := report.Err(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, report)
	}
	return fmt.Sprintf("keeps all %d promises\n%s", len(report.Checks), report), nil
}
