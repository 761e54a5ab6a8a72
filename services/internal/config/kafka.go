package config

import (
	"strconv"
	"time"
)

// Kafka is the log.
type Kafka struct {
	Brokers []string `yaml:"brokers"`
	// Replication of the topics that Signalbox creates; 0 leaves it to the brokers.
	Replication int16 `yaml:"replication"`
	// SessionTimeout is how long a group waits for a member that does not answer; 0 means 8 s.
	SessionTimeout time.Duration `yaml:"session_timeout"`
	// GroupProtocol is classic or consumer; empty means classic. With consumer the brokers say what the session timeout is.
	GroupProtocol string    `yaml:"group_protocol"`
	SASL          KafkaSASL `yaml:"sasl"`
	TLS           KafkaTLS  `yaml:"tls"`
	// Listen is where the embedded broker of `up` listens.
	Listen string `yaml:"listen"`
}

// KafkaSASL says who this process is to the brokers.
type KafkaSASL struct {
	Mechanism    string `yaml:"mechanism"` // PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; empty: none
	User         string `yaml:"user"`
	Password     string `yaml:"password"`
	PasswordFile string `yaml:"password_file"` // read again for each connection
	Insecure     bool   `yaml:"insecure"`      // allows PLAIN without TLS
}

// KafkaTLS says how connections to the brokers are encrypted. Files are PEM, read again for each connection.
type KafkaTLS struct {
	Enabled    bool   `yaml:"enabled"`
	CAFile     string `yaml:"ca_file"`     // empty: the authorities of the system
	CertFile   string `yaml:"cert_file"`   // with key_file, where brokers want a client certificate
	KeyFile    string `yaml:"key_file"`    // of cert_file
	ServerName string `yaml:"server_name"` // in the brokers' certificates; empty: the host that is dialed
}

func boolean(f func(c *Config) *bool) func(*Config, string) error {
	return func(c *Config, v string) error {
		b, err := strconv.ParseBool(v)
		*f(c) = b
		return err
	}
}

// kafkaVariables are the part of variables that reaches Kafka.
func kafkaVariables() []variable {
	return []variable{
		{"SIGNALBOX_KAFKA_BROKERS", list(func(c *Config) *[]string { return &c.Kafka.Brokers })},
		{"SIGNALBOX_KAFKA_SASL_MECHANISM", text(func(c *Config) *string { return &c.Kafka.SASL.Mechanism })},
		{"SIGNALBOX_KAFKA_SASL_USER", text(func(c *Config) *string { return &c.Kafka.SASL.User })},
		{"SIGNALBOX_KAFKA_SASL_PASSWORD", text(func(c *Config) *string { return &c.Kafka.SASL.Password })},
		{"SIGNALBOX_KAFKA_SASL_PASSWORD_FILE", text(func(c *Config) *string { return &c.Kafka.SASL.PasswordFile })},
		{"SIGNALBOX_KAFKA_TLS", boolean(func(c *Config) *bool { return &c.Kafka.TLS.Enabled })},
		{"SIGNALBOX_KAFKA_TLS_CA_FILE", text(func(c *Config) *string { return &c.Kafka.TLS.CAFile })},
		{"SIGNALBOX_KAFKA_TLS_CERT_FILE", text(func(c *Config) *string { return &c.Kafka.TLS.CertFile })},
		{"SIGNALBOX_KAFKA_TLS_KEY_FILE", text(func(c *Config) *string { return &c.Kafka.TLS.KeyFile })},
	}
}
