package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
)

// The server's bounds of a batch; some bytes are left for the commas.
const (
	maxBatch      = 1000
	maxBatchBytes = 8<<20 - 64<<10
)

// Event is an event of CloudEvents 1.0 whose data is JSON.
type Event struct {
	ID      string    // unique for its source, which is how a repeat is known; "" makes one
	Source  string    // such as /airports/ewr
	Type    string    // one that a Stream declares
	Subject string    // what it is about; events of one subject stay in order
	Time    time.Time // when it happened; zero leaves it to the server
	Data    any       // encoded as JSON
	// Extensions are further attributes, such as partitionkey: texts, integers and truths.
	Extensions map[string]any
}

// MarshalJSON writes the JSON event format.
func (e Event) MarshalJSON() ([]byte, error) {
	doc := map[string]any{}
	for name, v := range e.Extensions {
		doc[name] = v
	}
	doc["specversion"], doc["id"], doc["source"], doc["type"], doc["data"] = "1.0", e.ID, e.Source, e.Type, e.Data
	if e.Subject != "" {
		doc["subject"] = e.Subject
	}
	if !e.Time.IsZero() {
		doc["time"] = e.Time.UTC().Format(time.RFC3339Nano)
	}
	return json.Marshal(doc)
}

// EventResult is what became of one event.
type EventResult struct {
	Index    int     `json:"index"` // in the call
	ID       string  `json:"id"`
	Status   int     `json:"status"` // as if it had been sent alone: 202 is in the log
	Code     string  `json:"code"`
	Detail   string  `json:"detail"`
	Position string  `json:"position"` // topic/partition/offset
	Errors   []Fault `json:"errors"`
	// Retryable says that the same event may be taken later. It may even be in the log: send it again with the same id.
	Retryable bool `json:"retryable"`
}

// EmitError reports events that are not known to be in the log.
type EmitError struct {
	Failed []EventResult
	Of     int // events of the call
}

// Error tells of the first one.
func (e *EmitError) Error() string {
	f := e.Failed[0]
	return fmt.Sprintf("%d of %d events are not known to be in the log; event %d (%s): %d %s: %s", len(e.Failed), e.Of, f.Index, f.ID, f.Status, f.Code, f.Detail)
}

// Emit publishes events and returns what became of each, in their order. Events that the log does not take at the moment
// are sent again with the same ids, while others stay where they are; so an event that was written and not acknowledged
// may be in the log twice, known by its source and id. Where some are not in the log in the end the error is an
// *EmitError; any other says that it could not be learnt what became of them.
func (c *Client) Emit(ctx context.Context, events ...Event) ([]EventResult, error) {
	list := make([]outgoing, len(events))
	for i, e := range events {
		if e.ID == "" {
			e.ID = uuid.NewString()
		}
		b, err := json.Marshal(e)
		if err != nil {
			return nil, fmt.Errorf("emit event %d: %w", i, err)
		}
		list[i] = outgoing{index: i, id: e.ID, text: b}
	}
	results := make([]EventResult, len(events))
	for i := range results {
		results[i] = EventResult{Index: i, ID: list[i].id, Code: "not_sent", Detail: "an event before it could not be sent", Retryable: true}
	}
	for len(list) > 0 {
		n := batchOf(list)
		if err := c.emitBatch(ctx, list[:n], results); err != nil {
			return results, fmt.Errorf("emit: %w", err)
		}
		list = list[n:]
	}
	failed := &EmitError{Of: len(events)}
	for _, r := range results {
		if r.Status != http.StatusAccepted {
			failed.Failed = append(failed.Failed, r)
		}
	}
	if len(failed.Failed) > 0 {
		return results, failed
	}
	return results, nil
}

// outgoing is an event on its way.
type outgoing struct {
	index int
	id    string
	text  json.RawMessage
}

// batchOf is how many of the first events fit into one request.
func batchOf(list []outgoing) int {
	size := 0
	for i, e := range list {
		if size += len(e.text); i == maxBatch || i > 0 && size > maxBatchBytes {
			return i
		}
	}
	return len(list)
}

// emitBatch sends a batch, and what of it was not taken for the moment again, until results has the end of each event.
func (c *Client) emitBatch(ctx context.Context, batch []outgoing, results []EventResult) error {
	for _, e := range batch {
		results[e.index].Code, results[e.index].Detail = "unknown", "no answer: it may be in the log; send it again with the same id"
	}
	more := limit(c.fewTries)
	for n := 1; ; n++ {
		answer, err := c.sendBatch(ctx, batch)
		if answer == nil {
			if err := c.mayRepeat(ctx, err, n, more); err != nil {
				return err
			}
			continue
		}
		var again []outgoing
		for i, r := range answer {
			r.Index, r.ID = batch[i].index, batch[i].id
			if results[r.Index] = r; r.Retryable {
				again = append(again, batch[i])
			}
		}
		if len(again) == 0 {
			return nil
		}
		if c.mayRepeat(ctx, err, n, more) != nil {
			return nil //nolint:nilerr // results say what is missing
		}
		batch = again
	}
}

// sendBatch sends a batch once. Where something may be taken later the error is a *Problem that says when, whether or not
// there are results.
func (c *Client) sendBatch(ctx context.Context, batch []outgoing) ([]EventResult, error) {
	texts := make([]json.RawMessage, len(batch))
	for i, e := range batch {
		texts[i] = e.text
	}
	r := request{
		method: http.MethodPost, path: "/v1/events", body: texts,
		header: http.Header{"Content-Type": {"application/cloudevents-batch+json"}},
	}
	body, err := encode(r)
	if err != nil {
		return nil, final{err}
	}
	later := &Problem{Status: http.StatusServiceUnavailable, Title: "the log does not take every event at the moment", call: r.String()}
	b, err := c.once(ctx, r, body)
	var p *Problem
	if errors.As(err, &p) {
		b, later.RetryAfter = p.Body, p.RetryAfter
	} else if err != nil {
		return nil, err
	}
	var doc struct{ Results []EventResult }
	if json.Unmarshal(b, &doc) != nil || len(doc.Results) != len(batch) {
		if p != nil {
			return nil, p
		}
		return nil, final{fmt.Errorf("%s: the answer has %d results for %d events", r, len(doc.Results), len(batch))}
	}
	return doc.Results, later
}
