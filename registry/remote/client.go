// Package remote speaks to a Signalbox over its HTTP API with the registry's own verbs and types: for servers that
// predict, for the command line and for other programs.
package remote

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

// maxAnswer bounds an answer that is held in memory, in bytes.
const maxAnswer = 64 << 20

// Config of a Client.
type Config struct {
	// URL is where the control plane answers, such as http://127.0.0.1:7700; for Predict it is the data plane's.
	URL string
	// Token is sent as a bearer token, and never to any other address.
	Token string
	// Timeout bounds each call but those that stream; 0 means 30 s.
	Timeout time.Duration
	// HTTPClient sends the requests; nil means one of its own. Redirects are never followed.
	HTTPClient *http.Client
}

func (c Config) withDefaults() Config {
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	if c.HTTPClient == nil {
		c.HTTPClient = &http.Client{Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 16, IdleConnTimeout: 90 * time.Second,
			TLSHandshakeTimeout: 10 * time.Second, ForceAttemptHTTP2: true,
		}}
	}
	return c
}

func (c Config) validate() error {
	var faults []error
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.User != nil {
		faults = append(faults, fmt.Errorf("remote: URL %q: want a form such as http://127.0.0.1:7700", c.URL))
	}
	if strings.ContainsAny(c.Token, " \t\r\n") {
		faults = append(faults, errors.New("remote: Token holds white space"))
	}
	if c.Timeout < 0 {
		faults = append(faults, fmt.Errorf("remote: Timeout %s is negative", c.Timeout))
	}
	return errors.Join(faults...)
}

// Client calls the API. It is safe for concurrent use. Refusals are *Error.
type Client struct {
	base    string
	token   string
	timeout time.Duration
	http    *http.Client
}

// New returns a Client. It does not connect.
func New(cfg Config) (*Client, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	own := *cfg.HTTPClient
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{base: strings.TrimRight(cfg.URL, "/"), token: cfg.Token, timeout: cfg.Timeout, http: &own}, nil
}

// request is one call.
type request struct {
	method string
	path   string // escaped, from the root
	query  url.Values
	header http.Header
	body   any    // encoded as JSON unless raw is set
	raw    []byte // sent as it is
}

// call sends r and decodes the answer into out, which may be nil or a *[]byte for the bytes as they are.
func (c *Client) call(ctx context.Context, r request, out any) (http.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	resp, err := c.open(ctx, r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.method, r.path, err)
	}
	if len(b) > maxAnswer {
		return nil, fmt.Errorf("%s %s: the answer has more than %d bytes", r.method, r.path, maxAnswer)
	}
	switch out := out.(type) {
	case nil:
	case *[]byte:
		*out = b
	default:
		if err := json.Unmarshal(b, out); err != nil {
			return nil, fmt.Errorf("%s %s: answer: %w", r.method, r.path, err)
		}
	}
	return resp.Header, nil
}

// open sends r and returns an answer of 2xx, whose body the caller closes.
func (c *Client) open(ctx context.Context, r request) (*http.Response, error) {
	body := r.raw
	if r.body != nil {
		b, err := json.Marshal(r.body)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", r.method, r.path, err)
		}
		body = b
	}
	to := c.base + r.path
	if len(r.query) > 0 {
		to += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, to, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.method, r.path, err)
	}
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.method, r.path, plain(err))
	}
	if resp.StatusCode/100 != 2 {
		defer resp.Body.Close()
		return nil, refusal(r, resp)
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
