// Package config is the one place where settings come in: defaults, then the file, then the environment, then flags.
package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"go.yaml.in/yaml/v3"
)

// Config is everything an operator can say. The zero value of a member means its default.
type Config struct {
	// Data is the directory of everything that this process keeps: caches, jobs and, with `up`, the embedded servers.
	Data string `yaml:"data"`
	// Listen and PredictListen are the addresses of the control plane and of the data plane, host:port; port 0 is a
	// free one. An address that is not loopback needs Tokens.
	Listen        string `yaml:"listen"`
	PredictListen string `yaml:"predict_listen"`
	// HealthListen is where health checks and metrics are served beside the planes, for processes that serve neither; empty
	// is nowhere.
	HealthListen string `yaml:"health_listen"`
	// Hosts are names that requests may carry in their Host header beside loopback's.
	Hosts []string `yaml:"hosts"`
	// URL is where other processes, and jobs, reach the control plane; the listener's address where empty.
	URL string `yaml:"url"`
	// Tokens is a file of hashed tokens, as `signalbox token new` prints them.
	Tokens string `yaml:"tokens"`
	// Token is this process's own credential at the control plane, for roles that run apart from it.
	Token string `yaml:"token"`
	// RunKey signs the tokens of jobs: at least 32 characters, the same in every process.
	RunKey string `yaml:"run_key"`
	// DatabaseURL is PostgreSQL 15 or newer.
	DatabaseURL string   `yaml:"database_url"`
	Kafka       Kafka    `yaml:"kafka"`
	S3          S3       `yaml:"s3"`
	Archive     Archive  `yaml:"archive"`
	Training    Training `yaml:"training"`
	// DeadLetters holds for every consumer.
	DeadLetters DeadLetters `yaml:"dead_letters"`
	// LogFormat is text or json; LogLevel is debug, info, warn or error.
	LogFormat string `yaml:"log_format"`
	LogLevel  string `yaml:"log_level"`
}

// S3 is the object store.
type S3 struct {
	Endpoint  string `yaml:"endpoint"` // empty: AWS
	Region    string `yaml:"region"`
	Bucket    string `yaml:"bucket"`
	AccessKey string `yaml:"access_key"`
	SecretKey string `yaml:"secret_key"`
	// Listen is where the embedded server of `up` listens.
	Listen string `yaml:"listen"`
}

// Archive says when a buffer becomes a file.
type Archive struct {
	MaxAge   time.Duration `yaml:"max_age"`   // 0 means 1 min, with `up` 5 s
	MaxBytes int64         `yaml:"max_bytes"` // of one partition's buffer
	// Budget is how many bytes an archiver takes, of records, fetches and files in the making. A process that has no other role
	// is held to it; a merge comes on top while it lasts.
	Budget  int64   `yaml:"budget"`
	Compact Compact `yaml:"compact"`
	Iceberg Iceberg `yaml:"iceberg"`
}

// Compact says how the small files of an hour become few large ones. Zero means the default.
type Compact struct {
	Off      bool          `yaml:"off"`       // neither merge nor purge
	Interval time.Duration `yaml:"interval"`  // between looks for closed hours; 1 min
	Slack    time.Duration `yaml:"slack"`     // past the end of an hour before it is closed; 5 min
	Target   int64         `yaml:"target"`    // bytes of a file; 256 MiB
	MaxInput int64         `yaml:"max_input"` // bytes that one merge replaces at most; 16 GiB
	Memory   int64         `yaml:"memory"`    // bytes for sorting; 128 MiB
	// Grace is how long a replaced file stays that no dataset was made from. It must be longer than any build of a dataset; 24 h.
	Grace time.Duration `yaml:"grace"`
}

// Load returns the defaults, overlaid with the file (if path is not empty) and with the environment.
func Load(path string, lookup func(string) (string, bool)) (Config, error) {
	cfg := defaults()
	if path != "" {
		b, err := os.ReadFile(path)
		if err != nil {
			return Config{}, fmt.Errorf("read configuration: %w", err)
		}
		d := yaml.NewDecoder(bytes.NewReader(b))
		d.KnownFields(true)
		if err := d.Decode(&cfg); err != nil && !errors.Is(err, io.EOF) {
			return Config{}, fmt.Errorf("configuration %s: %w", path, err)
		}
	}
	return cfg, cfg.fromEnvironment(lookup)
}

func defaults() Config {
	return Config{
		Data: "signalbox-data", Listen: "127.0.0.1:7700", PredictListen: "127.0.0.1:7701",
		Kafka:     Kafka{Listen: "127.0.0.1:7709"},
		S3:        S3{Listen: "127.0.0.1:7708", Region: "us-east-1", Bucket: "signalbox"},
		Archive:   Archive{MaxBytes: 64 << 20, Budget: 384 << 20},
		Training:  Training{MaxParallel: 1, MaxAttempts: 3, Deadline: 6 * time.Hour},
		LogFormat: "text", LogLevel: "info",
	}
}

// CheckListen refuses addresses that strangers can reach while nobody needs a credential.
func (c Config) CheckListen() error {
	var faults []error
	for _, addr := range []string{c.Listen, c.PredictListen, cmp.Or(c.HealthListen, c.Listen)} {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			faults = append(faults, fmt.Errorf("listen address %q: want host:port", addr))
			continue
		}
		ip := net.ParseIP(host)
		if local := host == "localhost" || ip != nil && ip.IsLoopback(); !local && c.Tokens == "" {
			faults = append(faults, fmt.Errorf("listen address %s is not loopback: name a token file with --tokens "+
				"(make entries with `signalbox token new --name NAME --role ROLE`)", addr))
		}
	}
	return errors.Join(faults...)
}

// needs collects settings that are missing.
type needs struct{ faults []error }

func (n *needs) need(ok bool, name, env string) {
	if !ok {
		n.faults = append(n.faults, fmt.Errorf("%s is not set: put it in the configuration file or in %s", name, env))
	}
}

// CheckServe lists what is missing to run against real servers.
func (c Config) CheckServe() error {
	var n needs
	n.need(c.DatabaseURL != "", "database_url", "SIGNALBOX_DATABASE_URL")
	n.need(len(c.Kafka.Brokers) > 0, "kafka.brokers", "SIGNALBOX_KAFKA_BROKERS")
	n.need(c.S3.Bucket != "", "s3.bucket", "SIGNALBOX_S3_BUCKET")
	n.need(c.S3.AccessKey != "" && c.S3.SecretKey != "", "s3.access_key and s3.secret_key", "SIGNALBOX_S3_ACCESS_KEY and SIGNALBOX_S3_SECRET_KEY")
	n.need(len(c.RunKey) >= 32, "run_key (32 characters or more)", "SIGNALBOX_RUN_KEY")
	n.need(c.Tokens != "", "tokens", "SIGNALBOX_TOKENS")
	n.need(c.Token != "", "token", "SIGNALBOX_TOKEN")
	return errors.Join(append(n.faults, c.DeadLetters.check())...)
}

// CheckPredict lists what is missing to serve predictions and nothing else.
func (c Config) CheckPredict() error {
	var n needs
	n.need(len(c.Kafka.Brokers) > 0, "kafka.brokers", "SIGNALBOX_KAFKA_BROKERS")
	n.need(c.URL != "", "url", "SIGNALBOX_URL")
	n.need(c.Tokens != "", "tokens", "SIGNALBOX_TOKENS")
	n.need(c.Token != "", "token", "SIGNALBOX_TOKEN")
	return errors.Join(n.faults...)
}
