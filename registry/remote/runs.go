package remote

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/signalbox-ml/signalbox/registry"
)

// SubmitTrain asks for a training run with a Railyard request. The same key gives the same run; "" asks for a new one.
func (c *Client) SubmitTrain(ctx context.Context, train json.RawMessage, key string) (registry.RunID, error) {
	r := request{method: http.MethodPost, path: "/train", body: train, header: http.Header{}}
	if key != "" {
		r.header.Set("Idempotency-Key", key)
	}
	var id registry.RunID
	_, err := c.call(ctx, r, &id)
	return id, err
}

// Run returns a run with its history.
func (c *Client) Run(ctx context.Context, id registry.RunID) (registry.Run, error) {
	var run registry.Run
	_, err := c.call(ctx, request{method: http.MethodGet, path: runPath(id)}, &run)
	return run, err
}

// ListRuns returns runs without history, newest first. Only Model, States and Limit of f are asked for.
func (c *Client) ListRuns(ctx context.Context, f registry.RunFilter) ([]registry.Run, error) {
	q := limit(f.Limit)
	if f.Model != "" {
		q.Set("model", string(f.Model))
	}
	if len(f.States) > 0 {
		names := make([]string, len(f.States))
		for i, s := range f.States {
			names[i] = string(s)
		}
		q.Set("state", strings.Join(names, ","))
	}
	var doc struct{ Runs []registry.Run }
	_, err := c.call(ctx, request{method: http.MethodGet, path: "/v1/runs", query: q}, &doc)
	return doc.Runs, err
}

// CancelRun ends a run; one that is cancelled already is a success.
func (c *Client) CancelRun(ctx context.Context, id registry.RunID) (registry.Run, error) {
	var run registry.Run
	_, err := c.call(ctx, request{method: http.MethodPost, path: runPath(id) + ":cancel"}, &run)
	return run, err
}

// JobResult returns Railyard's answer about a run, as it is.
func (c *Client) JobResult(ctx context.Context, id registry.RunID) (json.RawMessage, error) {
	var b []byte
	_, err := c.call(ctx, request{method: http.MethodGet, path: "/job/" + id.String() + "/result"}, &b)
	return b, err
}

// RunMetrics returns the seconds and figures of a run's steps, as they are.
func (c *Client) RunMetrics(ctx context.Context, id registry.RunID) (json.RawMessage, error) {
	var b []byte
	_, err := c.call(ctx, request{method: http.MethodGet, path: runPath(id) + "/metrics"}, &b)
	return b, err
}

func runPath(id registry.RunID) string { return "/v1/runs/" + id.String() }
