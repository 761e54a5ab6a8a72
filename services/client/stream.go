package client

import (
	"bufio"
	"io"
	"strings"
)

// maxLine bounds one line of a stream, in bytes: the server cuts lines of logs at 64 KiB.
const maxLine = 1 << 20

// serverEvent is one event of a text/event-stream.
type serverEvent struct {
	kind string // "" for a plain one
	id   string // "" for none
	data string
}

// eventStream reads events. An event that was cut off is none.
type eventStream struct{ lines *bufio.Scanner }

func newEventStream(r io.Reader) *eventStream {
	s := &eventStream{bufio.NewScanner(r)}
	s.lines.Buffer(nil, maxLine)
	return s
}

// next returns the next event that has data; io.EOF where the stream ends.
func (s *eventStream) next() (serverEvent, error) {
	var ev serverEvent
	var data []string
	for s.lines.Scan() {
		line := s.lines.Text()
		if line == "" {
			if data != nil {
				ev.data = strings.Join(data, "\n")
				return ev, nil
			}
			ev = serverEvent{} // a comment, or a heartbeat
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "event":
			ev.kind = value
		case "id":
			ev.id = value
		case "data":
			data = append(data, value)
		}
	}
	if err := s.lines.Err(); err != nil {
		return serverEvent{}, err
	}
	return serverEvent{}, io.EOF
}
