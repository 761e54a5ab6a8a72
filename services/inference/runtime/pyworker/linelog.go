package pyworker

import (
	"bytes"
	"log/slog"
	"sync"
)

// maxLine cuts what a worker prints without a line break.
const maxLine = 4 << 10

// lineLog logs each line that is written to it.
type lineLog struct {
	log  *slog.Logger
	mu   sync.Mutex
	rest []byte
}

// Write implements io.Writer.
func (l *lineLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for chunk := p; len(chunk) > 0; {
		line, rest, whole := bytes.Cut(chunk, []byte("\n"))
		l.rest = append(l.rest, line[:min(len(line), maxLine-len(l.rest))]...)
		if whole {
			l.emit()
		}
		chunk = rest
	}
	return len(p), nil
}

// flush logs a last line without a break.
func (l *lineLog) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.emit()
}

func (l *lineLog) emit() {
	if line := bytes.TrimSpace(l.rest); len(line) > 0 {
		l.log.Info("worker output", "line", string(line))
	}
	l.rest = l.rest[:0]
}
