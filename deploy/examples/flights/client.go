package flights

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/signalbox-ml/signalbox/events"
)

// Client speaks plain HTTP to a stack, as a program in any language would.
type Client struct {
	Control, Predict string // base URLs
	Token            string
	HTTP             *http.Client
}

// Refusal is an answer that is not 2xx.
type Refusal struct {
	Status int
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// Error returns status, code and detail.
func (r *Refusal) Error() string { return fmt.Sprintf("%d %s: %s", r.Status, r.Code, r.Detail) }

// maxAnswer bounds what is read of an answer, bytes.
const maxAnswer = 64 << 20

// Call sends body as JSON (nil: none) and decodes the answer into out (nil: ignored).
func (c *Client) Call(ctx context.Context, method, url, contentType string, body, out any) error {
	var payload io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		payload = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, payload)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	req.Header.Set("Content-Type", contentType)
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, req.URL.Path, err)
	}
	if resp.StatusCode/100 != 2 {
		r := &Refusal{Status: resp.StatusCode}
		_ = json.Unmarshal(b, r) // a proxy's page is no problem document; the status says enough
		return r
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(b, out)
}

// Get reads a document of the control plane.
func (c *Client) Get(ctx context.Context, path string, out any) error {
	return c.Call(ctx, http.MethodGet, c.Control+path, "application/json", nil, out)
}

// Receipt is what became of one event of a batch.
type Receipt struct {
	ID        string `json:"id"`
	Status    int    `json:"status"`
	Code      string `json:"code"`
	Detail    string `json:"detail"`
	Retryable bool   `json:"retryable"`
	Position  string `json:"position"` // topic/partition/offset
}

// Publish sends a batch of at most 1,000 events and returns a receipt for each. What can be tried again is tried again,
// with the same ids, until ctx ends: an event without a receipt may or may not be in the log.
func (c *Client) Publish(ctx context.Context, batch []events.Event) ([]Receipt, error) {
	receipts := make([]Receipt, len(batch))
	open := make([]int, len(batch))
	for i := range open {
		open[i] = i
	}
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		again, err := c.publishOnce(ctx, batch, open, receipts)
		if err != nil || len(again) == 0 {
			return receipts, err
		}
		open = again
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// publishOnce sends the events at open and returns those to send again.
func (c *Client) publishOnce(ctx context.Context, batch []events.Event, open []int, receipts []Receipt) ([]int, error) {
	part := make([]events.Event, len(open))
	for i, k := range open {
		part[i] = batch[k]
	}
	var answer struct {
		Results []Receipt `json:"results"`
	}
	err := c.Call(ctx, http.MethodPost, c.Control+"/v1/events", "application/cloudevents-batch+json", part, &answer)
	var refused *Refusal
	if errors.As(err, &refused) && refused.Status != http.StatusTooManyRequests && refused.Status != http.StatusServiceUnavailable {
		return nil, err
	}
	if err != nil { // the server is away or full
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return open, nil
	}
	if len(answer.Results) != len(open) {
		return nil, fmt.Errorf("%d receipts for %d events", len(answer.Results), len(open))
	}
	var again []int
	for i, r := range answer.Results {
		receipts[open[i]] = r
		switch {
		case r.Status/100 == 2:
		case r.Retryable:
			again = append(again, open[i])
		default:
			return nil, fmt.Errorf("event %s was refused: %d %s: %s", r.ID, r.Status, r.Code, r.Detail)
		}
	}
	return again, nil
}

// Answer is a prediction for one row.
type Answer struct {
	Probability  float64
	Package      string
	Generation   int64
	PredictionID string
}

// PredictOne asks the tag for one row.
func (c *Client) PredictOne(ctx context.Context, tag string, row any) (Answer, error) {
	var answer struct {
		Predictions []struct {
			Probability float64 `json:"probability"`
		} `json:"predictions"`
		Package    string   `json:"package"`
		Generation int64    `json:"generation"`
		IDs        []string `json:"prediction_ids"`
	}
	body := map[string]any{"rows": []any{row}}
	err := c.Call(ctx, http.MethodPost, c.Predict+"/v1/predict/"+tag, "application/json", body, &answer)
	if err != nil {
		return Answer{}, err
	}
	if len(answer.Predictions) != 1 || len(answer.IDs) != 1 {
		return Answer{}, fmt.Errorf("%d predictions for one row", len(answer.Predictions))
	}
	return Answer{answer.Predictions[0].Probability, answer.Package, answer.Generation, answer.IDs[0]}, nil
}
