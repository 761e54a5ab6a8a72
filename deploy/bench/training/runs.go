package main

import (
	"context"
	"encoding/json"
	"time"
)

// runDoc is what the benchmark reads of a run.
type runDoc struct {
	ID      string          `json:"id"`
	State   string          `json:"state"`
	Dataset string          `json:"dataset"`
	Request json.RawMessage `json:"request"`
	Created time.Time       `json:"created_at"`
	History []struct {
		State string    `json:"job_state"`
		At    time.Time `json:"created_at"`
	} `json:"history"`
}

// run reads a run.
func (s *stack) run(ctx context.Context, id string) (runDoc, error) {
	var r runDoc
	return r, s.Get(ctx, "/v1/runs/"+id, &r)
}

// at is when the run first was in a state, the zero time for never.
func (r runDoc) at(state string) time.Time {
	for _, h := range r.History {
		if h.State == state {
			return h.At
		}
	}
	return time.Time{}
}
