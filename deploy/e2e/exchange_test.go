package e2e_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signalbox-ml/signalbox/deploy/examples/flights"
)

// exchange is an HTTP transport that knows where the stack is at the moment: producers keep their URLs, as behind a load
// balancer, while every start may bring new ports.
type exchange struct {
	mu    sync.Mutex
	hosts map[string]string // by the names in the producers' URLs
	base  http.Transport

	publishing atomic.Int32 // requests with events that have no answer yet
}

// The names of the two listeners.
const (
	controlHost = "control.test"
	predictHost = "predict.test"
)

var errDown = errors.New("the stack is down")

// connect sends requests to a stack from now on.
func (x *exchange) connect(e endpoints) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.hosts = map[string]string{
		controlHost: strings.TrimPrefix(e.Control, "http://"), predictHost: strings.TrimPrefix(e.Predict, "http://"),
	}
}

// RoundTrip implements http.RoundTripper.
func (x *exchange) RoundTrip(r *http.Request) (*http.Response, error) {
	x.mu.Lock()
	host := x.hosts[r.URL.Host]
	x.mu.Unlock()
	if host == "" {
		if r.Body != nil {
			_ = r.Body.Close() // it was not read
		}
		return nil, errDown
	}
	if strings.HasSuffix(r.URL.Path, "/events") {
		x.publishing.Add(1)
		defer x.publishing.Add(-1)
	}
	out := r.Clone(r.Context())
	out.URL.Host, out.Host = host, host
	return x.base.RoundTrip(out)
}

// client returns a client that survives restarts; so do tokens.
func (x *exchange) client(token string) *flights.Client {
	return &flights.Client{Control: "http://" + controlHost, Predict: "http://" + predictHost, Token: token,
		HTTP: &http.Client{Transport: x, Timeout: 15 * time.Second}}
}
