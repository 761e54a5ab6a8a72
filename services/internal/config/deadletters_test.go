package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestDeadLetters(t *testing.T) {
	file := filepath.Join(t.TempDir(), "signalbox.yaml")
	load := func(text string) Config {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := Load(file, none)
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	if got := load("dead_letters: {letters: -1, share: 0.25, window: 1h}\n").DeadLetters; got != (DeadLetters{Letters: -1, Share: 0.25, Window: time.Hour}) {
		t.Errorf("from the file: %+v", got)
	}
	err := load("dead_letters: {share: 1.5, window: 1ms}\n").CheckServe()
	if err == nil || !strings.Contains(err.Error(), "dead_letters.share") || !strings.Contains(err.Error(), "dead_letters.window") {
		t.Errorf("%v", err)
	}
}
