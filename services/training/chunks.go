package training

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

const (
	// maxChunkNumber is far behind what the bounds of a stream leave room for in chunks of any sense.
	maxChunkNumber = 1_000_000
	maxLogChunk    = 1 << 20   // bytes
	maxSeriesChunk = 256 << 10 // bytes
	// seriesDir is where the chunks of an attempt's figures stand.
	seriesDir = registry.SeriesDir
)

// stream is what an attempt sends piece by piece while it runs.
type stream struct {
	name, dir string
	media     string
	chunk     int64 // bytes of the largest chunk
	total     int64 // bytes of all chunks
	check     func([]byte) error
}

func (s stream) key(id registry.RunID, attempt, n int) string {
	return fmt.Sprintf("%s%08d", s.prefix(id, attempt), n)
}

func (s stream) prefix(id registry.RunID, attempt int) string {
	return registry.AttemptPrefix(id, attempt) + s.dir + "/"
}

func (s *Server) putLog(w http.ResponseWriter, r *http.Request) error {
	return s.putChunk(w, r, stream{
		name: "log", dir: registry.LogDir, media: "text/plain; charset=utf-8", chunk: maxLogChunk, total: s.cfg.MaxLog,
		check: func([]byte) error { return nil },
	})
}

func (s *Server) putSeries(w http.ResponseWriter, r *http.Request) error {
	return s.putChunk(w, r, stream{
		name: "series", dir: seriesDir, media: "application/jsonl", chunk: maxSeriesChunk, total: s.cfg.MaxSeries, check: checkSeries,
	})
}

// putChunk keeps one chunk of a stream. One that is there already stays: the answer says how long it is.
func (s *Server) putChunk(w http.ResponseWriter, r *http.Request, to stream) error {
	id, err := runOf(r)
	if err != nil {
		return err
	}
	attempt, err := strconv.Atoi(r.PathValue("attempt"))
	n, err2 := strconv.Atoi(r.PathValue("chunk"))
	if err = errors.Join(err, err2); err != nil || attempt < 1 || n < 0 || n > maxChunkNumber {
		return httpapi.Faultf(http.StatusBadRequest, "bad_chunk", "want an attempt from 1 and a chunk from 0 to %d", maxChunkNumber)
	}
	by, err := reporterOf(r, id, attempt)
	if err != nil {
		return err
	}
	b, err := httpapi.ReadBody(r, to.chunk)
	if err != nil {
		return err
	}
	if len(b) == 0 {
		return httpapi.Fault(http.StatusBadRequest, "malformed", "the chunk is empty: send it once there is something in it")
	}
	if err := to.check(b); err != nil {
		return refuse(err)
	}
	if err := s.admitLate(r.Context(), by); err != nil {
		return refuse(err)
	}
	size, err := s.keepChunk(r.Context(), to, by, n, b)
	if err != nil {
		return err
	}
	return httpapi.JSON(w, http.StatusOK, struct {
		Bytes int64 `json:"bytes"`
	}{size})
}

// keepChunk returns the size of the chunk as it is kept.
func (s *Server) keepChunk(ctx context.Context, to stream, by reporter, n int, b []byte) (int64, error) {
	key, prefix, size := to.key(by.run, by.attempt, n), to.prefix(by.run, by.attempt), int64(len(b))
	have, err := s.tally.of(ctx, s.cfg.Bucket, prefix)
	if err != nil {
		return 0, err
	}
	err = bucket.ErrExists
	if have+size <= to.total {
		_, err = s.cfg.Bucket.Put(ctx, key, bytes.NewReader(b), size, bucket.PutOptions{CreateOnly: true, ContentType: to.media})
	}
	if err == nil {
		s.tally.add(prefix, size)
		return size, nil
	}
	if !errors.Is(err, bucket.ErrExists) {
		return 0, err
	}
	attrs, err := s.cfg.Bucket.Stat(ctx, key)
	if errors.Is(err, bucket.ErrNotFound) {
		return 0, httpapi.Faultf(http.StatusRequestEntityTooLarge, "stream_full",
			"an attempt's %s has at most %d bytes, and %d are kept: send no more of it; the run goes on", to.name, to.total, have)
	}
	return attrs.Size, err
}
