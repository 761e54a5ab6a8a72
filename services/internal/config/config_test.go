package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func none(string) (string, bool) { return "", false }

func TestLoadOverlays(t *testing.T) {
	file := filepath.Join(t.TempDir(), "signalbox.yaml")
	body := "listen: 127.0.0.1:1\nkafka:\n  brokers: [a:1]\narchive:\n  max_age: 5s\n"
	if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"SIGNALBOX_KAFKA_BROKERS": "b:1, c:2", "SIGNALBOX_TRAINING_PARALLEL": "3"}
	cfg, err := Load(file, func(k string) (string, bool) { v, ok := env[k]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Listen != "127.0.0.1:1" || strings.Join(cfg.Kafka.Brokers, "|") != "b:1|c:2" ||
		cfg.Archive.MaxAge != 5*time.Second || cfg.Training.MaxParallel != 3 || cfg.S3.Bucket != "signalbox" {
		t.Fatalf("%+v", cfg)
	}
}

func TestLoadRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(file, []byte("lissten: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file, none); err == nil || !strings.Contains(err.Error(), "lissten") {
		t.Errorf("misspelt member: %v", err)
	}
	if _, err := Load("/nowhere.yaml", none); err == nil {
		t.Error("a missing file was accepted")
	}
	_, err := Load("", func(k string) (string, bool) { return "many", k == "SIGNALBOX_TRAINING_PARALLEL" })
	if err == nil || !strings.Contains(err.Error(), "SIGNALBOX_TRAINING_PARALLEL") {
		t.Errorf("bad number: %v", err)
	}
}

func TestOpenAddressNeedsTokens(t *testing.T) {
	cfg, err := Load("", none)
	if err != nil {
		t.Fatal(err)
	}
	if err := cfg.CheckListen(); err != nil {
		t.Errorf("defaults: %v", err)
	}
	for _, addr := range []string{"0.0.0.0:7700", ":7700", "[::]:1", "10.0.0.1:1", "nonsense"} {
		cfg.Listen = addr
		if cfg.CheckListen() == nil {
			t.Errorf("%s without tokens was accepted", addr)
		}
	}
	cfg.Listen, cfg.Tokens = "0.0.0.0:7700", "tokens.json"
	if err := cfg.CheckListen(); err != nil {
		t.Errorf("with tokens: %v", err)
	}
}

func TestServeSaysEverythingThatIsMissing(t *testing.T) {
	cfg, err := Load("", none)
	if err != nil {
		t.Fatal(err)
	}
	fault := cfg.CheckServe()
	for _, name := range []string{"SIGNALBOX_DATABASE_URL", "SIGNALBOX_KAFKA_BROKERS", "SIGNALBOX_S3_ACCESS_KEY", "SIGNALBOX_RUN_KEY", "SIGNALBOX_TOKENS", "SIGNALBOX_TOKEN"} {
		if fault == nil || !strings.Contains(fault.Error(), name) {
			t.Errorf("%s is not named in %v", name, fault)
		}
	}
}

func TestCompactionSettings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	body := "archive:\n  max_bytes: 7\n  compact: {grace: 48h, target: 1048576, off: true}\n"
	if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := Load(path, func(string) (string, bool) { return "", false })
	if c := cfg.Archive.Compact; err != nil || c.Grace != 48*time.Hour || c.Target != 1<<20 || !c.Off || cfg.Archive.MaxBytes != 7 {
		t.Errorf("%+v %v", cfg.Archive, err)
	}
}
