package training

import (
	"bytes"
	"context"
	"io"
	"regexp"
	"strconv"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// maxPoints bounds the points of one name in an answer.
const maxPoints = 10_000

// seriesName is the name of a figure.
var seriesName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)

// sample is one line of a chunk of figures.
type sample struct {
	Name  *string  `json:"name"`
	Value *float64 `json:"value"`
	Step  *int64   `json:"step"`
	At    *string  `json:"at"`
}

// point is a figure at one moment.
type point = registry.Point

// namedPoint is one line of a chunk that was let pass.
type namedPoint struct {
	Name string `json:"name"`
	point
}

// checkSeries lists everything that is wrong with a chunk of figures, at /<line from 0>/<member>.
func checkSeries(b []byte) error {
	var fs manifest.FaultList
	for i, line := range seriesLines(b) {
		at := "/" + strconv.Itoa(i)
		var v sample
		if err := manifest.Decode(line, maxSeriesChunk, &v); err != nil {
			before := len(fs)
			checkScalars(&fs, at, line)
			if len(fs) == before {
				fs.Nested(at, err)
			}
			continue
		}
		fs.Check(v.Name != nil && seriesName.MatchString(*v.Name), at+"/name", "want 1 to 100 letters, digits, dots, dashes and underscores")
		fs.Check(v.Value != nil, at+"/value", "is missing")
		fs.Check(v.Step == nil || *v.Step >= 0, at+"/step", "is negative")
		if v.At == nil {
			fs.Add(at+"/at", "is missing")
		} else if _, ok := moment(*v.At); !ok {
			fs.Add(at+"/at", "%.100q: want a time such as 2026-11-23T14:00:00.123Z", *v.At)
		}
	}
	return fs.Join()
}

// instant is RFC 3339; package time takes more.
var instant = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$`)

// moment reads a time of a year that clocks have.
func moment(text string) (time.Time, bool) {
	if !instant.MatchString(text) {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339, text)
	t = t.UTC()
	return t, err == nil && t.Year() >= 1970 && t.Year() <= 9999
}

// seriesLines are the lines of a chunk. The last one need not have an end.
func seriesLines(b []byte) [][]byte {
	return bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))
}

// series reads the figures of an attempt, by name and in the order in which they came.
func (s *Server) series(ctx context.Context, id registry.RunID, attempt int) (map[string][]point, error) {
	out, err := registry.ReadSeries(ctx, s.cfg.Bucket, id, attempt)
	if err != nil {
		return nil, err
	}
	for name, all := range out {
		out[name] = thin(all, maxPoints)
	}
	return out, nil
}

// thin leaves at most n points, evenly, the first and the last among them.
func thin(all []point, n int) []point {
	if len(all) <= n {
		return all
	}
	out := make([]point, n)
	for i := range out {
		out[i] = all[i*(len(all)-1)/(n-1)]
	}
	return out
}

// object reads a small object of the bucket.
func (s *Server) object(ctx context.Context, key string, limit int64) ([]byte, error) {
	body, _, err := s.cfg.Bucket.Get(ctx, key, bucket.Range{})
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(io.LimitReader(body, limit))
}
