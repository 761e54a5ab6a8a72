package training

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

const (
	headerLastEventID = "Last-Event-ID"
	// heartbeat keeps proxies from closing a quiet connection.
	heartbeat = 15 * time.Second
	// lastWords is how long the end of a log may take to arrive after the end of its run.
	lastWords = 30 * time.Second
	// maxLine bounds what is held back for the end of a line, in bytes.
	maxLine = 64 << 10
)

// follow sends a log as server-sent events: one for each line, whose id is the offset behind it, and one of type end with
// the state of the run once nothing more will come. A client that was cut off goes on behind its Last-Event-ID.
func (s *Server) follow(w http.ResponseWriter, r *http.Request, log liveLog) error {
	var offset int64
	if text := r.Header.Get(headerLastEventID); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return httpapi.Faultf(http.StatusBadRequest, "bad_event_id", "%s: want the id of an event of this log", headerLastEventID)
		}
		offset = n
	}
	out := s.open(w)
	out.offset = offset
	s.stream(r.Context(), log, out, func(ctx context.Context) error {
		_, err := log.copyFrom(ctx, out, out.offset+int64(out.partial.Len()))
		return err
	})
	return nil
}

// open begins an answer of events.
func (s *Server) open(w http.ResponseWriter) *eventStream {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	return &eventStream{w: w, rc: http.NewResponseController(w)}
}

// stream sends what more copies, until the attempt of a log is over or the client has gone.
func (s *Server) stream(ctx context.Context, log liveLog, out *eventStream, more func(context.Context) error) {
	if err := s.pump(ctx, log, out, more); err != nil && ctx.Err() == nil {
		out.event("error", "this cannot be read at the moment: connect again") // the answer has begun: no problem document
	}
}

// pump copies until the attempt of a log is over or ctx ends.
func (s *Server) pump(ctx context.Context, log liveLog, out *eventStream, more func(context.Context) error) error {
	tick := time.NewTicker(s.cfg.Poll)
	defer tick.Stop()
	var ended time.Time
	for {
		// Asked before the copy, so that what was added until then is in it.
		over, state, err := s.over(ctx, log, &ended)
		if err != nil {
			return err
		}
		if err := more(ctx); err != nil {
			return err
		}
		if over {
			out.flushPartial()
			out.event("end", string(state))
			return out.err
		}
		out.beat()
		if out.err != nil {
			return out.err // the client has gone
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// over reports whether a log is complete, and the run's state. A run that has ended may still owe the end of its log.
func (s *Server) over(ctx context.Context, log liveLog, ended *time.Time) (bool, registry.RunState, error) {
	run, err := s.cfg.Runs.Run(ctx, log.run)
	if err != nil {
		return false, "", err
	}
	if !run.State.Final() && run.Attempt <= log.attempt {
		return false, run.State, nil
	}
	if run.Attempt == 0 {
		return true, run.State, nil // it never had a job
	}
	if ended.IsZero() {
		*ended = time.Now()
	}
	whole, err := log.over(ctx)
	return whole || time.Since(*ended) > lastWords, run.State, err
}

// eventStream writes events.
type eventStream struct {
	w       io.Writer
	rc      *http.ResponseController
	offset  int64 // behind the last line that was sent
	partial bytes.Buffer
	sent    time.Time
	err     error
}

// Write takes a piece of the log and sends the lines that it completes.
func (o *eventStream) Write(b []byte) (int, error) {
	o.partial.Write(b)
	for {
		i := bytes.IndexByte(o.partial.Bytes(), '\n')
		if i < 0 && o.partial.Len() < maxLine {
			return len(b), o.err
		}
		if i < 0 {
			o.line(o.partial.Next(maxLine), 0)
			continue
		}
		o.line(o.partial.Next(i), 1)
		o.partial.Next(1)
	}
}

// line sends one line; newline is 1 where one follows it in the log.
func (o *eventStream) line(text []byte, newline int) {
	o.offset += int64(len(text) + newline)
	o.send(fmt.Sprintf("id: %d\ndata: %s\n\n", o.offset, bytes.ReplaceAll(bytes.TrimSuffix(text, []byte("\r")), []byte("\r"), []byte("\ndata: "))))
}

// flushPartial sends a last line that has no end.
func (o *eventStream) flushPartial() {
	if n := o.partial.Len(); n > 0 {
		o.line(o.partial.Next(n), 0)
	}
}

func (o *eventStream) event(typ, data string) {
	o.send(fmt.Sprintf("event: %s\ndata: %s\n\n", typ, data))
}

// beat sends a comment where nothing was sent for a while.
func (o *eventStream) beat() {
	if time.Since(o.sent) > heartbeat {
		o.send(": still there\n\n")
	}
}

func (o *eventStream) send(text string) {
	if o.err == nil {
		if _, o.err = io.WriteString(o.w, text); o.err == nil {
			o.err = o.rc.Flush()
		}
	}
	o.sent = time.Now()
}
