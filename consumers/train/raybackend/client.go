package raybackend

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Bounds of answers, in bytes: of one job, of all jobs, and of the words of a refusal.
const (
	maxJob   = 4 << 20
	maxJobs  = 256 << 20
	maxWords = 2000
)

// client speaks to the jobs API. It repeats nothing: who calls it does.
type client struct {
	base    *url.URL
	token   string
	timeout time.Duration
	http    *http.Client
}

func newClient(cfg Config) (*client, error) {
	base, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		TLSClientConfig: cfg.TLS.Clone(), ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute,
		TLSHandshakeTimeout: 10 * time.Second, MaxResponseHeaderBytes: 64 << 10,
	} // no proxy of the environment: it would read the token
	return &client{base: base, token: cfg.Token, timeout: cfg.Timeout, http: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// refusal is an answer that is not 200.
type refusal struct {
	method, path string
	status       int
	words        string
}

// Error implements error. Ray answers with whole stack traces, whose last line says what happened.
func (r *refusal) Error() string {
	words := strings.TrimSpace(r.words)
	words = words[strings.LastIndexByte(words, '\n')+1:]
	text := fmt.Sprintf("ray: %s %s: %d %s", r.method, r.path, r.status, http.StatusText(r.status))
	if words != "" {
		text += ": " + strings.ToValidUTF8(words, "")
	}
	return text
}

// status of a refusal; 0 of any other error.
func statusOf(err error) int {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r.status
	}
	return 0
}

// send returns the answer to a request if it is 200; a *refusal if it is another one. The caller closes the body.
func (c *client) send(ctx context.Context, method, path, contentType string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base.JoinPath(path).String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "signalbox")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ray: %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	words, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	return nil, errors.Join(&refusal{method, path, resp.StatusCode, string(words[max(0, len(words)-maxWords):])}, err, resp.Body.Close())
}

// call sends a request and reads its answer into out, unless that is nil. It returns the time by the clock of Ray.
func (c *client) call(ctx context.Context, method, path string, in, out any, limit int64) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var body []byte
	contentType := ""
	switch in := in.(type) {
	case nil:
	case []byte:
		body, contentType = in, "application/octet-stream"
	default:
		var err error
		if body, err = json.Marshal(in); err != nil {
			return time.Time{}, fmt.Errorf("ray: %w", err)
		}
		contentType = "application/json"
	}
	resp, err := c.send(ctx, method, path, contentType, body)
	if err != nil {
		return time.Time{}, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return time.Time{}, fmt.Errorf("ray: %s %s: %w", method, path, err)
	}
	if int64(len(answer)) > limit {
		return time.Time{}, fmt.Errorf("ray: %s %s: the answer has more than %d bytes", method, path, limit)
	}
	if out != nil {
		if err := json.Unmarshal(answer, out); err != nil {
			return time.Time{}, fmt.Errorf("ray: %s %s: not an answer of the jobs API: %w", method, path, err)
		}
	}
	return clock(resp.Header), nil
}

// clock is the time at Ray, whose clock also dates the jobs; ours where a proxy in between does not say.
func clock(h http.Header) time.Time {
	if t, err := http.ParseTime(h.Get("Date")); err == nil {
		return t
	}
	return time.Now()
}
