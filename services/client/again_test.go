package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-ml/signalbox/services/client"
)

// trip answers in the place of a network, so that a bubble owns the clock.
type trip func(n int) (*http.Response, error)

type scripted struct {
	do trip
	at []time.Time
}

// RoundTrip implements http.RoundTripper.
func (s *scripted) RoundTrip(r *http.Request) (*http.Response, error) {
	s.at = append(s.at, time.Now())
	resp, err := s.do(len(s.at))
	if resp != nil {
		resp.Request = r
	}
	return resp, err
}

func reply(status int, body string, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

func scriptedClient(t *testing.T, s *scripted, change ...func(*client.Config)) *client.Client {
	t.Helper()
	cfg := client.Config{URL: "http://signalbox.test", HTTP: &http.Client{Transport: s}}
	for _, f := range change {
		f(&cfg)
	}
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPauses(t *testing.T) {
	good := reply(200, `{"tags":[]}`)
	tests := map[string]struct {
		do          trip
		change      func(*client.Config)
		tries       int
		least, most time.Duration
		err         string
	}{
		"grow": {do: func(n int) (*http.Response, error) {
			return reply(503, ""), nil
		}, tries: 5, least: 750 * time.Millisecond, most: 1500 * time.Millisecond, err: "after 5 tries: GET /v1/tags: 503 Service Unavailable"},
		"are as long as the server asks": {do: func(n int) (*http.Response, error) {
			if n == 1 {
				return reply(429, "", "Retry-After", "7"), nil
			}
			return good, nil
		}, tries: 2, least: 7 * time.Second, most: 7 * time.Second},
		"are not longer than wanted": {do: func(n int) (*http.Response, error) {
			return reply(503, "", "Retry-After", "3600"), nil
		}, tries: 1, err: "GET /v1/tags: 503"},
		"end where nothing is repeated": {do: func(n int) (*http.Response, error) {
			return nil, io.ErrUnexpectedEOF
		}, change: func(c *client.Config) { c.Tries = 1 }, tries: 1, err: "unexpected EOF"},
		"do not come after what is final": {do: func(n int) (*http.Response, error) {
			return reply(500, ""), nil
		}, tries: 1, err: "500 Internal Server Error"},
		"do not come after an answer that is none": {do: func(n int) (*http.Response, error) {
			return reply(200, "<html>"), nil
		}, tries: 1, err: "answer: invalid character"},
		"come after an answer that is cut off": {do: func(n int) (*http.Response, error) {
			if n == 1 {
				r := reply(200, "")
				r.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"ta`), broken{}))
				return r, nil
			}
			return reply(200, `{"tags":[]}`), nil
		}, tries: 2, least: 50 * time.Millisecond, most: 100 * time.Millisecond},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &scripted{do: tc.do}
				c := scriptedClient(t, s, func(cfg *client.Config) {
					if tc.change != nil {
						tc.change(cfg)
					}
				})
				begin := time.Now()
				_, err := c.Tags(t.Context())
				took := time.Since(begin)
				if len(s.at) != tc.tries || took < tc.least || took > tc.most {
					t.Errorf("%d tries in %s, want %d in %s to %s", len(s.at), took, tc.tries, tc.least, tc.most)
				}
				if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
					t.Errorf("error %v, want %q", err, tc.err)
				}
			})
		})
	}
}

// broken is a body that ends too early.
type broken struct{}

// Read implements io.Reader.
func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestDateOfRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{}
		s.do = func(n int) (*http.Response, error) {
			if n == 1 {
				return reply(503, "", "Retry-After", time.Now().Add(9*time.Second).UTC().Format(http.TimeFormat)), nil
			}
			return reply(200, `{"tags":[]}`), nil
		}
		if _, err := scriptedClient(t, s).Tags(t.Context()); err != nil || s.at[1].Sub(s.at[0]) != 9*time.Second {
			t.Errorf("came back after %s, %v", s.at[1].Sub(s.at[0]), err)
		}
	})
}

// A pause that the context does not live through is not begun, and one that it ends in ends with it.
func TestPausesEndWithTheirContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{do: func(int) (*http.Response, error) { return reply(503, "", "Retry-After", "20"), nil }}
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := scriptedClient(t, s).Tags(ctx); !errors.Is(err, client.ErrUnavailable) || time.Since(begin) != 0 {
			t.Errorf("after %s: %v", time.Since(begin), err)
		}
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, stop)
		if _, err := scriptedClient(t, s).Tags(ctx); !errors.Is(err, context.Canceled) || !errors.Is(err, client.ErrUnavailable) || time.Since(begin) != 3*time.Second {
			t.Errorf("after %s: %v", time.Since(begin), err)
		}
	})
}

// A restart of the server that takes a minute does not end a wait.
func TestWaitIsPatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{}
		begin := time.Now()
		s.do = func(int) (*http.Response, error) {
			if gone := time.Since(begin); gone > time.Second && gone < time.Minute {
				return nil, errors.New("connection refused")
			}
			if time.Since(begin) < 2*time.Minute {
				return reply(200, `{"id":"r","state":"running"}`), nil
			}
			return reply(200, `{"id":"r","state":"complete"}`), nil
		}
		if run, err := scriptedClient(t, s).Wait(t.Context(), "r"); err != nil || run.State != client.Complete {
			t.Errorf("%+v, %v", run, err)
		}
		s.do = func(int) (*http.Response, error) { return nil, errors.New("connection refused") }
		begin = time.Now()
		if _, err := scriptedClient(t, s).Wait(t.Context(), "r"); err == nil || time.Since(begin) < 5*time.Minute || time.Since(begin) > 6*time.Minute {
			t.Errorf("gave up after %s: %v", time.Since(begin), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		s.do = func(int) (*http.Response, error) { return reply(200, `{"id":"r","state":"queued"}`), nil }
		if _, err := scriptedClient(t, s).Wait(ctx, "r"); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "which is queued") {
			t.Errorf("%v", err)
		}
	})
}

func TestConfigNamesItsFaults(t *testing.T) {
	_, err := client.New(client.Config{URL: "127.0.0.1:7700", PredictURL: "ftp://x", Token: "a b", Tries: -1})
	for _, part := range []string{"URL \"127.0.0.1:7700\"", "PredictURL \"ftp://x\"", "white space", "negative"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not tell of %s", err, part)
		}
	}
}

// A token goes to nobody else, whatever the server answers.
func TestRedirectsAreNotFollowed(t *testing.T) {
	asked := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer other.Close()
	s := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer s.Close()
	c, err := client.New(client.Config{URL: s.URL, Token: "secret", Tries: 1})
	if err != nil {
		t.Fatal(err)
	}
	var p *client.Problem
	if _, err := c.Tags(t.Context()); !errors.As(err, &p) || p.Status != http.StatusTemporaryRedirect || asked {
		t.Errorf("%v; the other server was asked: %v", err, asked)
	}
}
