package child

import (
	"bytes"
	"io"
	"strings"
	"sync"
)

// keep is how many of the last bytes of output an error message quotes.
const keep = 2048

// tail copies output to a log and remembers its end.
type tail struct {
	mu  sync.Mutex
	log io.Writer
	end []byte
}

func newTail(log io.Writer) *tail {
	if log == nil {
		log = io.Discard
	}
	return &tail{log: log}
}

// Write implements io.Writer. A log that fails must not stop the child: its error is dropped.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end = append(t.end, p...)
	if n := len(t.end) - keep; n > 0 {
		t.end = append(t.end[:0], t.end[n:]...)
	}
	_, _ = t.log.Write(p)
	return len(p), nil
}

// String is the last output, starting with a whole line if it was cut.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	end := t.end
	if len(end) == keep {
		if _, rest, ok := bytes.Cut(end, []byte("\n")); ok {
			end = rest
		}
	}
	if s := strings.TrimSpace(string(end)); s != "" {
		return s
	}
	return "(none)"
}
