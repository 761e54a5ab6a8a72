package remote

import (
	"context"
	"encoding/json"
	"net/http"

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

// ListRuns returns runs without history, newest first: the first page of what f selects.
func (c *Client) ListRuns(ctx context.Context, f registry.RunFilter) ([]registry.Run, error) {
	page, err := c.RunPage(ctx, f, "")
	return page.Runs, err
}

// CancelRun ends a run; one that is cancelled already is a success.
func (c *Client) CancelRun(ctx context.Context, id registry.RunID) (registry.Run, error) {
	var run registry.Run
	_, err := c.call(ctx, request{method: http.MethodPost, path: runPath(id) + ":cancel"}, &run)
	return run, err
}

// RetryRun runs a run that failed or was cancelled again, as a new run. The same key gives the same one; "" asks for a new
// one.
func (c *Client) RetryRun(ctx context.Context, id registry.RunID, key string) (registry.Run, error) {
	r := request{method: http.MethodPost, path: runPath(id) + ":retry", header: http.Header{}}
	if key != "" {
		r.header.Set("Idempotency-Key", key)
	}
	var run registry.Run
	_, err := c.call(ctx, r, &run)
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
