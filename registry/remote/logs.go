package remote

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/signalbox-ml/signalbox/registry"
)

// ErrCutOff reports a log that ended before its run did: follow it again.
var ErrCutOff = errors.New("log was cut off")

// Logs opens the log of a run's newest attempt, as far as it has come. The caller closes it.
func (c *Client) Logs(ctx context.Context, id registry.RunID) (io.ReadCloser, error) {
	resp, err := c.open(ctx, request{method: http.MethodGet, path: runPath(id) + "/logs"})
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// FollowLogs writes the log of a run's newest attempt line by line to w until the run has ended, and returns its state.
// after is the offset behind what the caller has already; next is where to go on after ErrCutOff.
func (c *Client) FollowLogs(ctx context.Context, id registry.RunID, after int64, w io.Writer) (state registry.RunState, next int64, err error) {
	h := http.Header{"Accept": {"text/event-stream"}}
	if after > 0 {
		h.Set("Last-Event-Id", strconv.FormatInt(after, 10))
	}
	resp, err := c.open(ctx, request{method: http.MethodGet, path: runPath(id) + "/logs", header: h})
	if err != nil {
		return "", after, err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	var ev serverEvent
	for lines.Scan() {
		if lines.Text() != "" {
			ev.field(lines.Text())
			continue
		}
		switch {
		case ev.kind == "end":
			return registry.RunState(ev.data.String()), after, nil
		case ev.kind == "error":
			return "", after, fmt.Errorf("%w: %s", ErrCutOff, ev.data.String())
		case ev.has:
			if _, err := io.WriteString(w, ev.data.String()+"\n"); err != nil {
				return "", after, err
			}
			after = max(after, ev.id)
		}
		ev = serverEvent{}
	}
	return "", after, errors.Join(ErrCutOff, lines.Err())
}

// serverEvent is one event of a text/event-stream.
type serverEvent struct {
	kind string
	id   int64
	data strings.Builder
	has  bool
}

func (e *serverEvent) field(line string) {
	name, value, _ := strings.Cut(line, ":")
	value = strings.TrimPrefix(value, " ")
	switch name {
	case "event":
		e.kind = value
	case "id":
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			e.id = n
		}
	case "data":
		if e.has {
			e.data.WriteByte('\n')
		}
		e.has = true
		e.data.WriteString(value)
	}
}
