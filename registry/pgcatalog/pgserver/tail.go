package pgserver

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// logLimit is when the log of earlier starts is set aside.
const logLimit = 16 << 20

// tail passes on what the server prints and remembers the end of it, to explain why the server died.
type tail struct {
	out io.Writer

	mu   sync.Mutex
	last []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	t.last = append(t.last, p...)
	if n := len(t.last) - 4096; n > 0 {
		t.last = append(t.last[:0], t.last[n:]...)
	}
	t.mu.Unlock()
	// A full disk must not stop the server over its log.
	_, _ = t.out.Write(p)
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return lastLines(string(t.last))
}

// lastLines keeps the last few lines of s.
func lastLines(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-8):], "\n")
}

// openLog opens Dir/postgres.log for appending.
func openLog(dir string) (*os.File, error) {
	path := filepath.Join(dir, "postgres.log")
	if st, err := os.Stat(path); err == nil && st.Size() > logLimit {
		if err := os.Rename(path, path+".old"); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}
