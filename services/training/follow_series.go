package training

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// seriesTail is how far the figures of an attempt were sent: those before a line of a chunk.
type seriesTail struct{ chunk, line int }

// parseTail reads the id of an event: <chunk>.<line>.
func parseTail(text string) (seriesTail, bool) {
	chunk, line, ok := strings.Cut(text, ".")
	n, err := strconv.Atoi(chunk)
	m, err2 := strconv.Atoi(line)
	return seriesTail{n, m}, ok && err == nil && err2 == nil && n >= 0 && m >= 0
}

// followSeries sends figures as server-sent events: one for each, whose id is the place behind it, and one of type end as
// for logs.
func (s *Server) followSeries(w http.ResponseWriter, r *http.Request, log liveLog) error {
	var at seriesTail
	if text := r.Header.Get(headerLastEventID); text != "" {
		var ok bool
		if at, ok = parseTail(text); !ok {
			return httpapi.Faultf(http.StatusBadRequest, "bad_event_id", "%s: want the id of an event of these figures", headerLastEventID)
		}
	}
	out := s.open(w)
	s.stream(r.Context(), log, out, func(ctx context.Context) error { return s.sendSeries(ctx, log, &at, out) })
	return nil
}

// sendSeries sends what has come behind a place, and moves the place.
func (s *Server) sendSeries(ctx context.Context, log liveLog, at *seriesTail, out *eventStream) error {
	for attrs, err := range s.cfg.Bucket.List(ctx, registry.AttemptPrefix(log.run, log.attempt)+seriesDir+"/") {
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(attrs.Key[strings.LastIndexByte(attrs.Key, '/')+1:])
		if err != nil || n < at.chunk {
			continue
		}
		if n > at.chunk {
			*at = seriesTail{chunk: n}
		}
		b, err := s.object(ctx, attrs.Key, maxSeriesChunk)
		if err != nil {
			return err
		}
		lines := seriesLines(b)
		for i := at.line; i < len(lines); i++ {
			var v namedPoint
			if err := json.Unmarshal(lines[i], &v); err != nil {
				return fmt.Errorf("read %s: %w", attrs.Key, err)
			}
			v.At = v.At.UTC()
			text, err := json.Marshal(v)
			if err != nil {
				return err
			}
			if at.line++; at.line == len(lines) {
				*at = seriesTail{chunk: n + 1}
			}
			out.send(fmt.Sprintf("id: %d.%d\ndata: %s\n\n", at.chunk, at.line, text))
		}
	}
	return out.err
}
