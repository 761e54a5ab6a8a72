package client

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Config of a Client.
type Config struct {
	// URL is where the control plane answers, such as http://127.0.0.1:7700; required.
	URL string
	// PredictURL is where the data plane answers, such as http://127.0.0.1:7701; only Predict needs it.
	PredictURL string
	// Token is sent as a bearer token, to these two addresses and to no other.
	Token string
	// HTTP sends the requests; nil means a client of its own. Redirects are never followed.
	HTTP *http.Client
	// Timeout bounds each try of a call; 0 means 30 s. A log takes as long as its run.
	Timeout time.Duration
	// Tries bounds how often a call is sent; 0 means 5, 1 means that nothing is repeated.
	Tries int
	// MaxPause is the longest time between two tries; 0 means 30 s. A server that asks for more is not asked again.
	MaxPause time.Duration
	// Patience is how long Wait and Follow go on without any answer, so that a restart of the server does not end them; 0
	// means 5 min.
	Patience time.Duration
	// Poll is the time between two looks of Wait at a run; 0 means 1 s.
	Poll time.Duration
	// Quiet is how long a log that is followed may say nothing, not even that it is still there, before the connection is
	// made again; 0 means 45 s, three times the server's heartbeat.
	Quiet time.Duration
}

func (c Config) withDefaults() Config {
	c.Timeout = cmp.Or(c.Timeout, 30*time.Second)
	c.Tries = cmp.Or(c.Tries, 5)
	c.MaxPause = cmp.Or(c.MaxPause, 30*time.Second)
	c.Patience = cmp.Or(c.Patience, 5*time.Minute)
	c.Poll = cmp.Or(c.Poll, time.Second)
	c.Quiet = cmp.Or(c.Quiet, 45*time.Second)
	if c.HTTP == nil {
		c.HTTP = &http.Client{Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 16, IdleConnTimeout: 90 * time.Second,
			TLSHandshakeTimeout: 10 * time.Second, ForceAttemptHTTP2: true,
		}}
	}
	return c
}

func (c Config) validate() error {
	faults := []error{checkAddress("URL", c.URL)}
	if c.PredictURL != "" {
		faults = append(faults, checkAddress("PredictURL", c.PredictURL))
	}
	if strings.ContainsAny(c.Token, " \t\r\n") {
		faults = append(faults, errors.New("Token holds white space"))
	}
	if c.Timeout < 0 || c.Tries < 0 || c.MaxPause < 0 || c.Patience < 0 || c.Poll < 0 || c.Quiet < 0 {
		faults = append(faults, errors.New("Timeout, Tries, MaxPause, Patience, Poll or Quiet is negative"))
	}
	return errors.Join(faults...)
}

func checkAddress(name, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return fmt.Errorf("%s %q: want a form such as http://127.0.0.1:7700", name, address)
	}
	return nil
}

// Client calls the API of one Signalbox. It is safe for concurrent use.
type Client struct {
	cfg     Config
	control string
	predict string
	http    *http.Client
}

// New returns a Client. It does not connect. The error names everything that is wrong with cfg.
func New(cfg Config) (*Client, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("client config: %w", err)
	}
	own := *cfg.HTTP
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	own.Timeout = 0 // it would cut logs off; calls have one of their own
	return &Client{
		cfg: cfg, http: &own,
		control: strings.TrimRight(cfg.URL, "/"), predict: strings.TrimRight(cfg.PredictURL, "/"),
	}, nil
}
