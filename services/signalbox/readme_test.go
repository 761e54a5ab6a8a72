package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/services/internal/config"
)

// The README's configuration is one that the program takes, and it names every variable.
func TestReadmeConfiguration(t *testing.T) {
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindSubmatch(b)
	if block == nil {
		t.Fatal("README has no configuration")
	}
	file := filepath.Join(t.TempDir(), "signalbox.yaml")
	if err := os.WriteFile(file, block[1], 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(file, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	if err := cfg.CheckListen(); err != nil {
		t.Error(err)
	}
	for _, name := range config.Variables() {
		if !strings.Contains(string(b), "`"+name+"`") {
			t.Errorf("README does not name %s", name)
		}
	}
}
