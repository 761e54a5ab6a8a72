package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/signalbox-ml/signalbox/events"
)

// httpProducer publishes over HTTP. What has no positive answer is sent again under the same id, so the log may have it
// twice; it is acknowledged once.
type httpProducer struct {
	name, url, token string
	client           *http.Client
	acks             *ackLog
	tally            *tally
	seq              int
}

func newHTTPProducer(w world, name string, acks *ackLog, t *tally) *httpProducer {
	return &httpProducer{name: name, url: "http://" + w.control + "/v1/events", token: w.token, acks: acks, tally: t,
		client: &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 2}}}
}

// run begins nothing new when more ends, and gives up what it has begun when work ends.
func (h *httpProducer) run(more, work context.Context) error {
	defer h.client.CloseIdleConnections()
	return every(more, httpEvery, func() error {
		n := 1
		if h.seq%3 != 0 {
			n = httpBatch
		}
		evs := make([]events.Event, 0, n)
		for range n {
			h.seq++
			ev, err := happening(h.name, h.seq, [...]string{"tick.up", "tick.down"}[h.seq%2])
			if err != nil {
				return err
			}
			evs = append(evs, ev)
		}
		return h.insist(work, evs)
	})
}

// insist sends until everything is acknowledged or ctx ends.
func (h *httpProducer) insist(ctx context.Context, evs []events.Event) error {
	for len(evs) > 0 {
		left, err := h.send(ctx, evs)
		if err != nil {
			return err
		}
		if len(left) > 0 {
			h.tally.resent(len(left))
			if !pause(ctx, 100*time.Millisecond) {
				return nil // never acknowledged: nobody promised anything
			}
		}
		evs = left
	}
	return nil
}

// send returns the events that are not acknowledged. An answer that blames the events is an error: they are right.
func (h *httpProducer) send(ctx context.Context, evs []events.Event) ([]events.Event, error) {
	contentType, value := "application/cloudevents-batch+json", any(evs)
	if len(evs) == 1 {
		contentType, value = "application/cloudevents+json", evs[0]
	}
	body, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Authorization", "Bearer "+h.token)
	resp, err := h.client.Do(req)
	if err != nil {
		return evs, nil // no answer says nothing: again
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	if err != nil {
		return evs, nil // half an answer is none
	}
	if s := resp.StatusCode; s/100 == 4 && s != http.StatusTooManyRequests {
		return nil, fmt.Errorf("ingest refused events with %d: %.300s", s, answer)
	}
	return h.judge(resp.StatusCode, answer, evs), nil
}

// judge notes what an answer acknowledges, and returns the rest.
func (h *httpProducer) judge(status int, answer []byte, evs []events.Event) []events.Event {
	if len(evs) == 1 {
		if status/100 != 2 {
			return evs
		}
		h.acks.add("http", "", evs[0].ID())
		return nil
	}
	var results struct {
		Results []struct {
			ID     string `json:"id"`
			Status int    `json:"status"`
		} `json:"results"`
	}
	// The whole answer may be a refusal and still say that some events are in the log.
	if json.Unmarshal(answer, &results) != nil || len(results.Results) != len(evs) {
		return evs
	}
	var acked []string
	var left []events.Event
	for i, r := range results.Results {
		if r.Status/100 == 2 && r.ID == evs[i].ID() {
			acked = append(acked, r.ID)
		} else {
			left = append(left, evs[i])
		}
	}
	h.acks.add("http", "", acked...)
	return left
}
