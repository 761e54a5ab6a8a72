package kafka

import (
	"context"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"
)

// clientLog passes the client's own messages on. Its "info" tells of every metadata refresh and is debug to us.
type clientLog struct {
	log     *slog.Logger
	explain func(error) error // says what to do, where it is known
}

// Level says how much the client should tell.
func (l clientLog) Level() kgo.LogLevel {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		return kgo.LogLevelInfo
	}
	return kgo.LogLevelWarn
}

// Log writes one message of the client.
func (l clientLog) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	to := slog.LevelDebug
	switch level {
	case kgo.LogLevelError:
		to = slog.LevelError
	case kgo.LogLevelWarn:
		to = slog.LevelWarn
	}
	attrs := append([]any{"event", msg}, keyvals...)
	for i, v := range attrs {
		if err, ok := v.(error); ok {
			attrs[i] = l.explain(err)
		}
	}
	l.log.Log(context.Background(), to, "kafka client", attrs...)
}
