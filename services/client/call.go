package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/google/uuid"
)

// maxAnswer bounds an answer that is held in memory, in bytes.
const maxAnswer = 64 << 20

// request is one call.
type request struct {
	base   string // the control plane's where it is empty
	method string
	path   string // escaped, from the root
	query  url.Values
	header http.Header
	body   any // encoded as JSON; nil for none
}

func get(path string) request { return request{method: http.MethodGet, path: path} }

// post is a call that makes something: with the caller's idempotency key, or one for the call and its repeats.
func post(path string, body any, key string) request {
	if key == "" {
		key = uuid.NewString()
	}
	return request{method: http.MethodPost, path: path, body: body, header: http.Header{"Idempotency-Key": {key}}}
}

func (r request) String() string { return r.method + " " + r.path }

// call sends r until it is answered and decodes the answer into out.
func (c *Client) call(ctx context.Context, r request, out any) error {
	return c.callWithin(ctx, c.fewTries, r, out)
}

func (c *Client) callWithin(ctx context.Context, more limit, r request, out any) error {
	body, err := encode(r)
	if err != nil {
		return err
	}
	return c.again(ctx, more, func() error {
		b, err := c.once(ctx, r, body)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(b, out); err != nil {
			return final{fmt.Errorf("%s: answer: %w", r, err)}
		}
		return nil
	})
}

func encode(r request) ([]byte, error) {
	if r.body == nil {
		return nil, nil
	}
	b, err := json.Marshal(r.body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r, err)
	}
	return b, nil
}

// once sends r and reads the whole answer, within one timeout.
func (c *Client) once(ctx context.Context, r request, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	resp, err := c.open(ctx, r, body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("%s: answer: %w", r, err)
	}
	if len(b) > maxAnswer {
		return nil, final{fmt.Errorf("%s: the answer has more than %d bytes", r, maxAnswer)}
	}
	return b, nil
}

// open sends r and returns an answer of 2xx, whose body the caller closes.
func (c *Client) open(ctx context.Context, r request, body []byte) (*http.Response, error) {
	to := c.control
	if r.base != "" {
		to = r.base
	}
	to += r.path
	if len(r.query) > 0 {
		to += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, to, bytes.NewReader(body))
	if err != nil {
		return nil, final{fmt.Errorf("%s: %w", r, err)}
	}
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	if c.cfg.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.cfg.Token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r, plain(err))
	}
	if resp.StatusCode/100 != 2 {
		defer resp.Body.Close()
		return nil, problemOf(r, resp)
	}
	return resp, nil
}

// plain drops the method and address that net/http puts before an error: the caller has said them.
func plain(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
