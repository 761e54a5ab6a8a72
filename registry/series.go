package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/signalbox-ml/signalbox/registry/bucket"
)

// Names under which the figures of an attempt stand.
const (
	SeriesDir   = "series.d"     // what the workflow measured on its way, in chunks of lines
	StepDir     = "steps.d"      // the figures of each step, one object a step
	MetricsFile = "metrics.json" // the artifact in which a job says what it measured
)

const (
	// maxFigures bounds one object of figures, in bytes.
	maxFigures = 1 << 20
	// seriesReaders is how many chunks are read at once.
	seriesReaders = 8
)

// Point is a figure that an attempt measured at one moment.
type Point struct {
	Step  *int64    `json:"step,omitempty"`
	Value float64   `json:"value"`
	At    time.Time `json:"at"`
}

// Series are the figures of one attempt as far as they were read. The zero value has read nothing. Chunks never change, so
// each is read once. One goroutine at a time may use it.
type Series struct {
	chunks map[string][]namedPoint // by key
}

type namedPoint struct {
	Name string `json:"name"`
	Point
}

// Read reads what has come since the last time.
func (s *Series) Read(ctx context.Context, b bucket.Bucket, id RunID, attempt int) error {
	var keys []string
	for attrs, err := range b.List(ctx, AttemptPrefix(id, attempt)+SeriesDir+"/") {
		if err != nil {
			return fmt.Errorf("list series of run %s: %w", id, err)
		}
		if _, ok := s.chunks[attrs.Key]; !ok {
			keys = append(keys, attrs.Key)
		}
	}
	chunks := make([][]namedPoint, len(keys))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(seriesReaders)
	for i, key := range keys {
		g.Go(func() (err error) {
			chunks[i], err = readChunk(gctx, b, key)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("series of run %s: %w", id, err)
	}
	if s.chunks == nil {
		s.chunks = map[string][]namedPoint{}
	}
	for i, key := range keys {
		s.chunks[key] = chunks[i]
	}
	return nil
}

func readChunk(ctx context.Context, b bucket.Bucket, key string) ([]namedPoint, error) {
	chunk, err := readFigures(ctx, b, key)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	var out []namedPoint
	// The last line need not have an end.
	for line := range bytes.SplitSeq(bytes.TrimSuffix(chunk, []byte("\n")), []byte("\n")) {
		var v namedPoint
		if err := json.Unmarshal(line, &v); err != nil {
			return nil, fmt.Errorf("read %s: %w", key, err)
		}
		v.At = v.At.UTC()
		out = append(out, v)
	}
	return out, nil
}

// Points are the figures by name, in the order of their chunks and lines.
func (s *Series) Points() map[string][]Point {
	out := map[string][]Point{}
	for _, key := range slices.Sorted(maps.Keys(s.chunks)) {
		for _, v := range s.chunks[key] {
			out[v.Name] = append(out[v.Name], v.Point)
		}
	}
	return out
}

// ReadSeries reads the figures of an attempt, by name and in the order in which they came.
func ReadSeries(ctx context.Context, b bucket.Bucket, id RunID, attempt int) (map[string][]Point, error) {
	var s Series
	if err := s.Read(ctx, b, id, attempt); err != nil {
		return nil, err
	}
	return s.Points(), nil
}

// readFigures reads a small object.
func readFigures(ctx context.Context, b bucket.Bucket, key string) ([]byte, error) {
	body, _, err := b.Get(ctx, key, bucket.Range{})
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(io.LimitReader(body, maxFigures))
}
