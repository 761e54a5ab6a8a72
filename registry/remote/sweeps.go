package remote

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/signalbox-ml/signalbox/registry"
)

// SweepPage is a part of a list of sweeps.
type SweepPage struct {
	Sweeps []registry.Sweep `json:"sweeps"`
	// Next is the cursor of the next page, "" on the last one.
	Next string `json:"next,omitempty"`
}

// StartSweep asks for a sweep with a document that has request and search. The same key gives the same sweep; "" asks for
// a new one.
func (c *Client) StartSweep(ctx context.Context, sweep json.RawMessage, key string) (registry.Sweep, error) {
	r := request{method: http.MethodPost, path: "/v1/sweeps", body: sweep, header: http.Header{}}
	if key != "" {
		r.header.Set("Idempotency-Key", key)
	}
	var s registry.Sweep
	_, err := c.call(ctx, r, &s)
	return s, err
}

// Sweep returns a sweep with its history and its trials.
func (c *Client) Sweep(ctx context.Context, id registry.SweepID) (registry.SweepReport, error) {
	var s registry.SweepReport
	_, err := c.call(ctx, request{method: http.MethodGet, path: "/v1/sweeps/" + id.String()}, &s)
	return s, err
}

// SweepPage returns the sweeps that f selects behind a cursor, "" for the newest. f.After is not looked at.
func (c *Client) SweepPage(ctx context.Context, f registry.SweepFilter, cursor string) (SweepPage, error) {
	q := limit(f.Limit)
	var states []string
	for _, s := range f.States {
		states = append(states, string(s))
	}
	for name, value := range map[string]string{"model": string(f.Model), "state": strings.Join(states, ","), "cursor": cursor} {
		if value != "" {
			q.Set(name, value)
		}
	}
	var page SweepPage
	_, err := c.call(ctx, request{method: http.MethodGet, path: "/v1/sweeps", query: q}, &page)
	return page, err
}

// CancelSweep ends a sweep; one that is cancelled already is a success.
func (c *Client) CancelSweep(ctx context.Context, id registry.SweepID) (registry.Sweep, error) {
	var s registry.Sweep
	_, err := c.call(ctx, request{method: http.MethodPost, path: "/v1/sweeps/" + id.String() + ":cancel"}, &s)
	return s, err
}
