package client_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
)

// wire is what is between a client and a server: it may answer itself, lose an answer, or break off.
type wire struct {
	mu     sync.Mutex
	script []step
	before func(*http.Request)
	seen   []*http.Request
}

// step is what happens to the next request of a method whose path has an end.
type step struct {
	method, end string
	do          func(w http.ResponseWriter, r *http.Request, next http.Handler)
}

func (x *wire) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		do := x.take(r)
		if do == nil {
			next.ServeHTTP(w, r)
			return
		}
		do(w, r, next)
	})
}

func (x *wire) take(r *http.Request) func(http.ResponseWriter, *http.Request, http.Handler) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.seen = append(x.seen, r)
	if x.before != nil {
		x.before(r)
	}
	for i, s := range x.script {
		if s.method == r.Method && strings.HasSuffix(r.URL.Path, s.end) {
			x.script = append(x.script[:i:i], x.script[i+1:]...)
			return s.do
		}
	}
	return nil
}

// next adds what happens to further requests.
func (x *wire) next(steps ...step) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.script = append(x.script, steps...)
}

// requests are those of a method and an end of a path so far.
func (x *wire) requests(method, end string) []*http.Request {
	x.mu.Lock()
	defer x.mu.Unlock()
	var out []*http.Request
	for _, r := range x.seen {
		if r.Method == method && strings.HasSuffix(r.URL.Path, end) {
			out = append(out, r)
		}
	}
	return out
}

// left is how many steps did not happen.
func (x *wire) left() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.script)
}

// answer answers in the server's place.
func answer(status int, body string, header ...string) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		if strings.HasPrefix(body, "{") {
			w.Header().Set("Content-Type", "application/problem+json")
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// refuse drops the connection before anything is done.
func refuse(w http.ResponseWriter, _ *http.Request, _ http.Handler) { hangUp(w) }

// lose does what is asked for, and drops the connection in the place of the answer.
func lose(w http.ResponseWriter, r *http.Request, next http.Handler) {
	next.ServeHTTP(httptest.NewRecorder(), r)
	hangUp(w)
}

func hangUp(w http.ResponseWriter) {
	if h, ok := w.(http.Hijacker); ok {
		if c, _, err := h.Hijack(); err == nil {
			c.Close()
		}
	}
}

// breakOff lets so many bytes of an answer through.
func breakOff(bytes int) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		next.ServeHTTP(&short{ResponseWriter: w, left: bytes}, r)
	}
}

// short is a writer that ends early.
type short struct {
	http.ResponseWriter
	left int
}

// Write implements io.Writer.
func (s *short) Write(b []byte) (int, error) {
	n, err := s.ResponseWriter.Write(b[:min(len(b), s.left)])
	if s.left -= n; n < len(b) && err == nil {
		err = net.ErrClosed
	}
	return n, err
}

// Unwrap lets the server flush.
func (s *short) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// hang says nothing until the client goes away.
func hang(w http.ResponseWriter, r *http.Request, _ http.Handler) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
	<-r.Context().Done()
}

func tempDir() (dir string, remove func() error, err error) {
	dir, err = os.MkdirTemp("", "signalbox-client-")
	return dir, func() error { return os.RemoveAll(dir) }, err
}
