package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// variable is one environment variable and what it sets.
type variable struct {
	name string
	set  func(c *Config, v string) error
}

func text(f func(c *Config) *string) func(*Config, string) error {
	return func(c *Config, v string) error { *f(c) = v; return nil }
}

func list(f func(c *Config) *[]string) func(*Config, string) error {
	return func(c *Config, v string) error {
		*f(c) = strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' })
		return nil
	}
}

func duration(f func(c *Config) *time.Duration) func(*Config, string) error {
	return func(c *Config, v string) error {
		d, err := time.ParseDuration(v)
		*f(c) = d
		return err
	}
}

func whole(f func(c *Config) *int) func(*Config, string) error {
	return func(c *Config, v string) error {
		n, err := strconv.Atoi(v)
		*f(c) = n
		return err
	}
}

// variables is the whole list; README has the same.
func variables() []variable {
	return append(kafkaVariables(), []variable{
		{"SIGNALBOX_DATA", text(func(c *Config) *string { return &c.Data })},
		{"SIGNALBOX_LISTEN", text(func(c *Config) *string { return &c.Listen })},
		{"SIGNALBOX_PREDICT_LISTEN", text(func(c *Config) *string { return &c.PredictListen })},
		{"SIGNALBOX_HEALTH_LISTEN", text(func(c *Config) *string { return &c.HealthListen })},
		{"SIGNALBOX_HOSTS", list(func(c *Config) *[]string { return &c.Hosts })},
		{"SIGNALBOX_URL", text(func(c *Config) *string { return &c.URL })},
		{"SIGNALBOX_TOKENS", text(func(c *Config) *string { return &c.Tokens })},
		{"SIGNALBOX_TOKEN", text(func(c *Config) *string { return &c.Token })},
		{"SIGNALBOX_RUN_KEY", text(func(c *Config) *string { return &c.RunKey })},
		{"SIGNALBOX_DATABASE_URL", text(func(c *Config) *string { return &c.DatabaseURL })},
		{"SIGNALBOX_S3_ENDPOINT", text(func(c *Config) *string { return &c.S3.Endpoint })},
		{"SIGNALBOX_S3_REGION", text(func(c *Config) *string { return &c.S3.Region })},
		{"SIGNALBOX_S3_BUCKET", text(func(c *Config) *string { return &c.S3.Bucket })},
		{"SIGNALBOX_S3_ACCESS_KEY", text(func(c *Config) *string { return &c.S3.AccessKey })},
		{"SIGNALBOX_S3_SECRET_KEY", text(func(c *Config) *string { return &c.S3.SecretKey })},
		{"SIGNALBOX_ARCHIVE_MAX_AGE", duration(func(c *Config) *time.Duration { return &c.Archive.MaxAge })},
		{"SIGNALBOX_PYTHON", text(func(c *Config) *string { return &c.Training.Python })},
		{"SIGNALBOX_KUBECONFIG", text(func(c *Config) *string { return &c.Training.Kubernetes.Kubeconfig })},
		{"SIGNALBOX_KUBERNETES_NAMESPACE", text(func(c *Config) *string { return &c.Training.Kubernetes.Namespace })},
		{"SIGNALBOX_RAY_URL", text(func(c *Config) *string { return &c.Training.Ray.URL })},
		{"SIGNALBOX_RAY_TOKEN", text(func(c *Config) *string { return &c.Training.Ray.Token })},
		{"SIGNALBOX_TRAINING_PARALLEL", whole(func(c *Config) *int { return &c.Training.MaxParallel })},
		{"SIGNALBOX_LOG_FORMAT", text(func(c *Config) *string { return &c.LogFormat })},
		{"SIGNALBOX_LOG_LEVEL", text(func(c *Config) *string { return &c.LogLevel })},
	}...)
}

// fromEnvironment overlays the variables that are set.
func (c *Config) fromEnvironment(lookup func(string) (string, bool)) error {
	var faults []error
	for _, v := range variables() {
		s, ok := lookup(v.name)
		if !ok || s == "" {
			continue
		}
		if err := v.set(c, s); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", v.name, err))
		}
	}
	return errors.Join(faults...)
}

// Variables returns the names of all environment variables that Load reads.
func Variables() []string {
	var names []string
	for _, v := range variables() {
		names = append(names, v.name)
	}
	return names
}
