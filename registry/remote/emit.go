package remote

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/signalbox-ml/signalbox/events"
)

// EmitResult is what became of one event.
type EmitResult struct {
	Index     int    `json:"index"` // in the call
	ID        string `json:"id"`
	Status    int    `json:"status"` // as if it had been sent alone
	Code      string `json:"code,omitempty"`
	Detail    string `json:"detail,omitempty"`
	Retryable bool   `json:"retryable,omitempty"`
	Position  string `json:"position,omitempty"` // topic/partition/offset
}

// Emit publishes at most 1,000 events and returns what became of each. The error is nil where the server took the
// batch, even if it refused events of it: look at each Status.
func (c *Client) Emit(ctx context.Context, evs []events.Event) ([]EmitResult, error) {
	b, err := json.Marshal(evs)
	if err != nil {
		return nil, fmt.Errorf("emit: %w", err)
	}
	return c.EmitJSON(ctx, b)
}

// EmitJSON publishes a batch in the JSON event format: an array of events.
func (c *Client) EmitJSON(ctx context.Context, batch []byte) ([]EmitResult, error) {
	r := request{
		method: http.MethodPost, path: "/v1/events", raw: batch,
		header: http.Header{"Content-Type": {"application/cloudevents-batch+json"}},
	}
	var doc struct{ Results []EmitResult }
	_, err := c.call(ctx, r, &doc)
	return doc.Results, err
}
