package client

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/url"
	"strconv"
	"time"
)

// Metrics is what was measured of an attempt.
type Metrics struct {
	RunID   RunID  `json:"run_id"`
	Attempt int    `json:"attempt"`
	Steps   []Step `json:"steps"` // that have ended, in order
	// Series is what the job measured on its way, by name and in order; at most 10,000 points each.
	Series map[string][]Point `json:"series"`
	// Own are the workflow's own figures, nil until the attempt has ended. They are whatever it left.
	Own map[string]json.RawMessage `json:"metrics"`
	// Process is nil until the attempt has ended.
	Process *Process `json:"process"`
}

// Step is one step of a job: fetch, preprocess, train, serialize, score or publish.
type Step struct {
	Name    string             `json:"step"`
	Seconds float64            `json:"seconds"`
	Figures map[string]float64 `json:"metrics"`
}

// Point is one value of a series.
type Point struct {
	Step  *int64    `json:"step"` // nil where the job counted none
	Value float64   `json:"value"`
	At    time.Time `json:"at"`
}

// Process is what a job took.
type Process struct {
	CPUSeconds float64 `json:"cpu_seconds"`
	PeakMemory int64   `json:"peak_memory_bytes"`
}

// Metrics returns what was measured of an attempt of a run, so far; attempt 0 is the newest.
func (c *Client) Metrics(ctx context.Context, id RunID, attempt int) (Metrics, error) {
	r := get(runPath(id) + "/metrics")
	r.query = attemptQuery(attempt)
	var m Metrics
	if err := c.call(ctx, r, &m); err != nil {
		return m, fmt.Errorf("metrics of run %s: %w", id, err)
	}
	return m, nil
}

// Sample is one point of one series, while the job runs.
type Sample struct {
	Attempt int    `json:"-"`
	Name    string `json:"name"`
	Point
}

// FollowMetrics gives the points of all series while the run goes on, those of later attempts too, until the run has
// ended; attempt is where it begins, 0 the newest. A connection that breaks is made again, and each point comes once. An
// error is the last that comes.
func (c *Client) FollowMetrics(ctx context.Context, id RunID, attempt int) iter.Seq2[Sample, error] {
	return follow(ctx, c, id, "/metrics", place{attempt: attempt}, func(attempt int, ev serverEvent) (Sample, error) {
		s := Sample{Attempt: attempt}
		err := json.Unmarshal([]byte(ev.data), &s)
		return s, err
	})
}

func attemptQuery(attempt int) url.Values {
	if attempt == 0 {
		return nil
	}
	return url.Values{"attempt": {strconv.Itoa(attempt)}}
}
