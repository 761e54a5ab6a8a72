package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// apacheVersion is the version in apache/pom.xml; it names the cache.
const apacheVersion = "4.3.1"

// apacheJars returns the directory with Kafka's jars. The first call of a machine fetches them with Maven; others wait
// for it.
func apacheJars(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("cache for kafka's jars: %w", err)
	}
	home := filepath.Join(cache, "signalbox", "kafka-"+apacheVersion)
	if err := os.MkdirAll(home, 0o755); err != nil {
		return "", fmt.Errorf("cache for kafka's jars: %w", err)
	}
	libs := filepath.Join(home, "libs")
	lock := flock.New(filepath.Join(home, "lock"))
	if _, err := lock.TryLockContext(ctx, 100*time.Millisecond); err != nil {
		return "", fmt.Errorf("lock %s: %w", home, err)
	}
	defer func() { _ = lock.Close() }()
	if _, err := os.Stat(libs); err == nil {
		return libs, nil
	}
	return libs, fetchJars(ctx, home, libs)
}

// fetchJars fills libs through a directory beside it, so that libs is either whole or missing.
func fetchJars(ctx context.Context, home, libs string) error {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return errors.New("apache kafka's jars are fetched with Maven: apt-get install maven")
	}
	pom, err := apacheFiles.ReadFile("apache/pom.xml")
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp(home, "fetch-")
	if err != nil {
		return fmt.Errorf("fetch kafka's jars: %w", err)
	}
	defer os.RemoveAll(work)
	file := filepath.Join(work, "pom.xml")
	if err := os.WriteFile(file, pom, 0o600); err != nil {
		return fmt.Errorf("fetch kafka's jars: %w", err)
	}
	partial := filepath.Join(work, "libs")
	cmd := exec.CommandContext(ctx, mvn, "-q", "-B", "-f", file, "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies",
		"-DincludeScope=runtime", "-DoutputDirectory="+partial)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("fetch kafka's jars: %w\n%s", err, out)
	}
	if err := os.Rename(partial, libs); err != nil {
		return fmt.Errorf("fetch kafka's jars: %w", err)
	}
	return nil
}
