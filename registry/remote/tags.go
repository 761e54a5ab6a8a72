package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

// Tag is a registry.TagState on the wire: with the name of its tag.
type Tag struct {
	Tag string `json:"tag"` // <model>/<name>
	registry.TagState
}

// TagOf returns the wire form of a state.
func TagOf(s registry.TagState) Tag { return Tag{Tag: s.Tag.String(), TagState: s} }

// State returns the state with the name read into it.
func (t Tag) State() (registry.TagState, error) {
	name, err := registry.ParseTag(t.Tag)
	if err != nil {
		return registry.TagState{}, err
	}
	s := t.TagState
	s.Tag = name
	return s, nil
}

// Move is the body of PUT /v1/tags/{model}/{tag}.
type Move struct {
	Arms     []registry.Arm `json:"arms"`
	Reason   string         `json:"reason"`
	Evidence cas.Digest     `json:"evidence"`
}

// Rollback is the body of POST /v1/tags/{model}/{tag}:rollback.
type Rollback struct {
	Generation int64  `json:"generation"` // whose value comes back; 0: the one before the current
	Reason     string `json:"reason"`
}

// ListTags returns the newest state of every tag.
func (c *Client) ListTags(ctx context.Context) ([]registry.TagState, error) {
	var doc struct{ Tags []Tag }
	if _, err := c.call(ctx, request{method: http.MethodGet, path: "/v1/tags"}, &doc); err != nil {
		return nil, err
	}
	return states(doc.Tags)
}

// Tag returns the newest state of a tag.
func (c *Client) Tag(ctx context.Context, t registry.Tag) (registry.TagState, error) {
	return c.tag(ctx, request{method: http.MethodGet, path: tagPath(t)})
}

// TagAsOf returns the state of a tag at a time.
func (c *Client) TagAsOf(ctx context.Context, t registry.Tag, at time.Time) (registry.TagState, error) {
	q := url.Values{"as_of": {at.UTC().Format(time.RFC3339Nano)}}
	return c.tag(ctx, request{method: http.MethodGet, path: tagPath(t), query: q})
}

// TagHistory returns every generation of a tag, oldest first.
func (c *Client) TagHistory(ctx context.Context, t registry.Tag) ([]registry.TagState, error) {
	var doc struct{ Generations []Tag }
	if _, err := c.call(ctx, request{method: http.MethodGet, path: tagPath(t) + "/history"}, &doc); err != nil {
		return nil, err
	}
	return states(doc.Generations)
}

// MoveTag moves a tag by compare-and-swap. A tag that is elsewhere is registry.ErrTagMoved, with its current state where
// the server says it. The server knows the actor by the token; m.Actor and m.At are not sent.
func (c *Client) MoveTag(ctx context.Context, m registry.TagMove) (registry.TagState, error) {
	r := request{
		method: http.MethodPut, path: tagPath(m.Tag), header: expect(m.Expect, m.Op),
		body: Move{Arms: m.Arms, Reason: m.Reason, Evidence: m.Evidence},
	}
	return c.moved(ctx, r)
}

// Rollback makes a new generation that is equal to an earlier one. q.Actor is not sent.
func (c *Client) Rollback(ctx context.Context, q registry.RollbackRequest) (registry.TagState, error) {
	r := request{
		method: http.MethodPost, path: tagPath(q.Tag) + ":rollback", header: expect(q.Expect, q.Op),
		body: Rollback{Generation: q.To, Reason: q.Reason},
	}
	return c.moved(ctx, r)
}

// moved sends a move. A refusal may carry the current state as its member "current".
func (c *Client) moved(ctx context.Context, r request) (registry.TagState, error) {
	s, err := c.tag(ctx, r)
	var refused *Error
	if errors.As(err, &refused) && errors.Is(err, registry.ErrTagMoved) {
		var doc struct{ Current *Tag }
		if json.Unmarshal(refused.Body, &doc) == nil && doc.Current != nil {
			if now, bad := doc.Current.State(); bad == nil {
				return now, err
			}
		}
	}
	return s, err
}

func (c *Client) tag(ctx context.Context, r request) (registry.TagState, error) {
	var t Tag
	if _, err := c.call(ctx, r, &t); err != nil {
		return registry.TagState{}, err
	}
	s, err := t.State()
	if err != nil {
		return s, fmt.Errorf("%s %s: answer: %w", r.method, r.path, err)
	}
	return s, nil
}

// expect are the headers of a compare-and-swap.
func expect(generation int64, op string) http.Header {
	h := http.Header{}
	if generation == 0 {
		h.Set("If-None-Match", "*")
	} else {
		h.Set("If-Match", strconv.Quote(strconv.FormatInt(generation, 10)))
	}
	if op != "" {
		h.Set("Idempotency-Key", op)
	}
	return h
}

func states(list []Tag) ([]registry.TagState, error) {
	out := make([]registry.TagState, len(list))
	for i, t := range list {
		s, err := t.State()
		if err != nil {
			return nil, fmt.Errorf("tags: answer: %w", err)
		}
		out[i] = s
	}
	return out, nil
}

func tagPath(t registry.Tag) string {
	return "/v1/tags/" + url.PathEscape(string(t.Model)) + "/" + url.PathEscape(t.Name)
}
