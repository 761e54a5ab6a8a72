package training

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// logs answers with the log of an attempt: whole once it is over, as far as it has come before. With Accept:
// text/event-stream it follows.
func (s *Server) logs(w http.ResponseWriter, r *http.Request) error {
	run, err := s.find(r)
	if err != nil {
		return err
	}
	attempt, err := attemptOf(r, run)
	if err != nil {
		return err
	}
	// Whoever follows before the first attempt waits for it.
	log := liveLog{bucket: s.cfg.Bucket, run: run.ID, attempt: max(attempt, 1)}
	if strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
		return s.follow(w, r, log)
	}
	ctx := r.Context()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	whole, _, err := s.cfg.Bucket.Get(ctx, log.key(), bucket.Range{})
	switch {
	case err == nil:
		defer whole.Close()
		_, _ = io.Copy(w, whole) // a client that went away
		return nil
	case !errors.Is(err, bucket.ErrNotFound):
		return err
	}
	_, err = log.copyFrom(ctx, w, 0)
	return err
}

// attemptOf is the attempt that a query asks for: the newest unless it says otherwise, 0 before the first.
func attemptOf(r *http.Request, run registry.Run) (int, error) {
	text := r.URL.Query().Get("attempt")
	if text == "" {
		return run.Attempt, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > max(run.Attempt, 1) {
		return 0, httpapi.Faultf(http.StatusBadRequest, "bad_query", "attempt: want 1 to %d", max(run.Attempt, 1))
	}
	return n, nil
}

// liveLog is the log of an attempt, in the chunks in which it was copied.
type liveLog struct {
	bucket  bucket.Bucket
	run     registry.RunID
	attempt int
}

func (l liveLog) key() string { return registry.ArtifactKey(l.run, l.attempt, registry.ArtifactLogs) }

// over reports whether nothing will be added any more.
func (l liveLog) over(ctx context.Context) (bool, error) {
	_, err := l.bucket.Stat(ctx, l.key())
	if errors.Is(err, bucket.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// copyFrom writes what there is from byte offset on and returns the offset behind it.
func (l liveLog) copyFrom(ctx context.Context, w io.Writer, offset int64) (int64, error) {
	var start int64
	for attrs, err := range l.bucket.List(ctx, registry.AttemptPrefix(l.run, l.attempt)+registry.LogDir+"/") {
		if err != nil {
			return offset, err
		}
		end := start + attrs.Size
		if end > offset {
			n, err := l.copyChunk(ctx, w, attrs.Key, offset-start)
			if offset += n; err != nil {
				return offset, err
			}
		}
		start = end
	}
	return offset, nil
}

func (l liveLog) copyChunk(ctx context.Context, w io.Writer, key string, from int64) (int64, error) {
	body, _, err := l.bucket.Get(ctx, key, bucket.Range{Offset: from})
	if err != nil {
		return 0, err
	}
	defer body.Close()
	return io.Copy(w, body)
}
