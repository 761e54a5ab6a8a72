package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestKafkaSecurity(t *testing.T) {
	file := filepath.Join(t.TempDir(), "signalbox.yaml")
	body := `kafka:
  brokers: [a:9093]
  session_timeout: 6s
  group_protocol: consumer
  sasl: {mechanism: SCRAM-SHA-512, user: signalbox, password_file: /run/secrets/kafka}
  tls: {enabled: true, ca_file: ca.pem, cert_file: c.pem, key_file: k.pem, server_name: kafka}
`
	if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := Load(file, none)
	if err != nil {
		t.Fatal(err)
	}
	want := Kafka{
		Brokers: []string{"a:9093"}, SessionTimeout: 6 * time.Second, GroupProtocol: "consumer", Listen: "127.0.0.1:7709",
		SASL: KafkaSASL{Mechanism: "SCRAM-SHA-512", User: "signalbox", PasswordFile: "/run/secrets/kafka"},
		TLS:  KafkaTLS{Enabled: true, CAFile: "ca.pem", CertFile: "c.pem", KeyFile: "k.pem", ServerName: "kafka"},
	}
	if !reflect.DeepEqual(cfg.Kafka, want) {
		t.Errorf("from the file: %+v", cfg.Kafka)
	}
	env := map[string]string{
		"SIGNALBOX_KAFKA_SASL_MECHANISM": "PLAIN", "SIGNALBOX_KAFKA_SASL_USER": "u", "SIGNALBOX_KAFKA_SASL_PASSWORD": "p",
		"SIGNALBOX_KAFKA_SASL_PASSWORD_FILE": "pf", "SIGNALBOX_KAFKA_TLS": "true", "SIGNALBOX_KAFKA_TLS_CA_FILE": "ca",
		"SIGNALBOX_KAFKA_TLS_CERT_FILE": "c", "SIGNALBOX_KAFKA_TLS_KEY_FILE": "k",
	}
	cfg, err = Load("", func(k string) (string, bool) { v, ok := env[k]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Kafka.SASL != (KafkaSASL{Mechanism: "PLAIN", User: "u", Password: "p", PasswordFile: "pf"}) ||
		cfg.Kafka.TLS != (KafkaTLS{Enabled: true, CAFile: "ca", CertFile: "c", KeyFile: "k"}) {
		t.Errorf("from the environment: %+v", cfg.Kafka)
	}
	_, err = Load("", func(k string) (string, bool) { return "perhaps", k == "SIGNALBOX_KAFKA_TLS" })
	if err == nil || !strings.Contains(err.Error(), "SIGNALBOX_KAFKA_TLS") {
		t.Errorf("a boolean that is none: %v", err)
	}
}
