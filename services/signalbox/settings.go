package main

import (
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/signalbox-ml/signalbox/services/internal/config"
)

// settings are the flags of the servers. They come last: defaults, file, environment, flags.
type settings struct {
	file string
	set  []func(*config.Config)
}

// bind declares the flags that every server has.
func (v *settings) bind(c *cobra.Command) {
	c.Flags().StringVarP(&v.file, "config", "c", "", "configuration file (YAML)")
	v.text(c, "listen", "address of the control plane, host:port; port 0 is a free one", func(c *config.Config) *string { return &c.Listen })
	v.text(c, "predict-listen", "address of the data plane", func(c *config.Config) *string { return &c.PredictListen })
	v.text(c, "health-listen", "address of health checks and metrics of a process that serves neither plane", func(c *config.Config) *string { return &c.HealthListen })
	v.text(c, "tokens", "file of hashed tokens; the command token new makes entries", func(c *config.Config) *string { return &c.Tokens })
	v.text(c, "python", "Python interpreter of jobs and Python models; made where not named", func(c *config.Config) *string { return &c.Training.Python })
	v.text(c, "database-url", "PostgreSQL 15 or newer", func(c *config.Config) *string { return &c.DatabaseURL })
	v.text(c, "log-format", "text or json", func(c *config.Config) *string { return &c.LogFormat })
	v.text(c, "log-level", "debug, info, warn or error", func(c *config.Config) *string { return &c.LogLevel })
	age := c.Flags().Duration("archive-max-age", 0, "longest wait of an event for its archive file (default 1m0s, with up 5s)")
	v.set = append(v.set, func(cfg *config.Config) {
		if c.Flags().Changed("archive-max-age") {
			cfg.Archive.MaxAge = *age
		}
	})
}

// text declares a flag that overrides a member where it is given.
func (v *settings) text(c *cobra.Command, name, usage string, member func(*config.Config) *string) {
	value := c.Flags().String(name, "", usage)
	v.set = append(v.set, func(cfg *config.Config) {
		if c.Flags().Changed(name) {
			*member(cfg) = *value
		}
	})
}

// load returns the whole configuration.
func (v *settings) load(s *session) (config.Config, error) {
	cfg, err := config.Load(v.file, s.lookup)
	if err != nil {
		return config.Config{}, err
	}
	for _, set := range v.set {
		set(&cfg)
	}
	if s.data != "" {
		cfg.Data = s.data
	}
	if s.token != "" {
		cfg.Token = s.token
	}
	return cfg, cfg.CheckListen()
}

func logLevel(text string) (slog.Level, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(text)); err != nil {
		return 0, fmt.Errorf("log level %q: want debug, info, warn or error", text)
	}
	return l, nil
}
