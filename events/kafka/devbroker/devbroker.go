// Package devbroker is a Kafka-protocol broker inside this process, for development and for one-process deployments. It
// keeps its topics, records and groups in a directory and survives being killed. It is one broker on one goroutine,
// without authentication: it listens on loopback unless told otherwise, and production uses a real cluster.
package devbroker

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
	"github.com/twmb/franz-go/pkg/kfake"
)

// ErrInUse means that another process has the directory.
var ErrInUse = errors.New("broker directory is in use by another process")

// Config configures a Broker.
type Config struct {
	// Dir keeps everything. Required; made where it is missing.
	Dir string
	// Addr to listen on; empty means 127.0.0.1:0. Port 0 means the port of the last start if it is free, else any.
	Addr string
	// RetentionBytes bounds each partition of topics that say nothing; 0 means 256 MiB. A start reads all of it.
	RetentionBytes int64
	// Log gets the broker's warnings; nil discards.
	Log *slog.Logger
}

// Broker is a running broker.
type Broker struct {
	addr    string
	cluster *kfake.Cluster
	lock    *flock.Flock
}

// Start starts the broker on Dir.
func Start(cfg Config) (*Broker, error) {
	if cfg.Dir == "" {
		return nil, errors.New("development broker: Dir is empty")
	}
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:0"
	}
	if cfg.RetentionBytes == 0 {
		cfg.RetentionBytes = 256 << 20
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("development broker: %w", err)
	}
	lock := flock.New(filepath.Join(cfg.Dir, "lock"))
	switch held, err := lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("development broker: lock %s: %w", cfg.Dir, err)
	case !held:
		return nil, fmt.Errorf("development broker %s: %w", cfg.Dir, ErrInUse)
	}
	b, err := start(cfg)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("development broker: %w", err), lock.Close())
	}
	b.lock = lock
	return b, nil
}

func start(cfg Config) (*Broker, error) {
	ln, err := listen(cfg.Addr, filepath.Join(cfg.Dir, "port"))
	if err != nil {
		return nil, err
	}
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.ClusterID("signalbox-development"),
		kfake.DataDir(filepath.Join(cfg.Dir, "data")),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return ln, nil }),
		kfake.WithLogger(brokerLog{cfg.Log}),
		kfake.BrokerConfigs(map[string]string{
			"log.cleaner.backoff.ms": "15000", // compaction and retention; the default is an hour
			"log.retention.bytes":    fmt.Sprint(cfg.RetentionBytes),
			"log.segment.bytes":      fmt.Sprint(max(cfg.RetentionBytes/8, 1<<20)),
			"message.max.bytes":      fmt.Sprint(4 << 20),
		}),
	)
	if err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return &Broker{addr: ln.Addr().String(), cluster: cluster}, nil
}

// Addr returns host:port of the broker.
func (b *Broker) Addr() string { return b.addr }

// Close writes what is only in memory and frees the directory.
func (b *Broker) Close() error {
	b.cluster.Close()
	if err := b.lock.Close(); err != nil {
		return fmt.Errorf("development broker: %w", err)
	}
	return nil
}

// listen opens addr. Port 0 prefers the port that file remembers, so that clients survive a restart.
func listen(addr, file string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("address %q: want host:port", addr)
	}
	if port == "0" {
		if last, err := os.ReadFile(file); err == nil {
			if ln, err := net.Listen("tcp", net.JoinHostPort(host, strings.TrimSpace(string(last)))); err == nil {
				return ln, nil
			}
		}
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	_, chosen, err := net.SplitHostPort(ln.Addr().String())
	if err == nil {
		err = os.WriteFile(file, []byte(chosen+"\n"), 0o600)
	}
	if err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return ln, nil
}

// brokerLog passes the broker's own messages on.
type brokerLog struct{ log *slog.Logger }

// Logf writes errors and warnings; the rest tells of every request.
func (l brokerLog) Logf(level kfake.LogLevel, format string, args ...any) {
	switch level {
	case kfake.LogLevelError:
		l.log.Error("development broker", "event", fmt.Sprintf(format, args...))
	case kfake.LogLevelWarn:
		l.log.Warn("development broker", "event", fmt.Sprintf(format, args...))
	}
}
