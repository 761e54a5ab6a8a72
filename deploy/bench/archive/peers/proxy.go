package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"
)

var errKilled = errors.New("the archiver was killed before the store's answer")

// proxy stands between one life of an archiver and the object store. It sees which objects are stored, and holds the answer
// for the one at which the archiver is to die.
type proxy struct {
	bucket   string
	data     func(key string) bool
	aim      *aim // nil: nobody dies
	listener net.Listener
	server   *http.Server
	hit      chan struct{} // closed when the object that was aimed at is stored
	dead     chan struct{} // closed when the archiver is

	mu    sync.Mutex
	seen  int       // objects that match the aim
	first time.Time // when the first one with rows was stored; zero: none was
	count int       // of those with rows
}

func newProxy(upstream, bucket string, data func(key string) bool, a *aim) (*proxy, error) {
	u, err := url.Parse(upstream)
	if err != nil {
		return nil, err
	}
	p := &proxy{bucket: bucket, data: data, aim: a, hit: make(chan struct{}), dead: make(chan struct{})}
	if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	forward := &httputil.ReverseProxy{
		// The request is signed for the host that the archiver knows.
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(u); r.Out.Host = r.In.Host },
		Transport:      &http.Transport{MaxIdleConnsPerHost: 32, DisableCompression: true, IdleConnTimeout: 10 * time.Second},
		ModifyResponse: p.answered,
		ErrorHandler:   func(w http.ResponseWriter, _ *http.Request, _ error) { hangUp(w) },
	}
	p.server = &http.Server{Handler: forward, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = p.server.Serve(p.listener) }() // it ends with close
	return p, nil
}

func (p *proxy) endpoint() string { return "http://" + p.listener.Addr().String() }

func (p *proxy) close() { _ = p.server.Close() }

// answered sees each answer of the store before the archiver does.
func (p *proxy) answered(resp *http.Response) error {
	key, ok := p.stored(resp.Request)
	if !ok || resp.StatusCode != http.StatusOK {
		return nil
	}
	// A multipart upload may fail in the body of a 200.
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("answer for %s: %w", key, err)
	}
	resp.Body = io.NopCloser(strings.NewReader(string(body)))
	if strings.Contains(string(body), "<Error>") {
		return nil
	}
	if !p.note(key) {
		return nil
	}
	close(p.hit)
	<-p.dead
	return errKilled
}

// stored returns the key of an object that a request completes.
func (p *proxy) stored(r *http.Request) (key string, ok bool) {
	key, ok = strings.CutPrefix(r.URL.Path, "/"+p.bucket+"/")
	if !ok {
		return "", false
	}
	q := r.URL.Query()
	switch r.Method {
	case http.MethodPut: // a part is not an object yet
		return key, !q.Has("partNumber")
	case http.MethodPost:
		return key, q.Has("uploadId")
	}
	return "", false
}

// note keeps that an object is stored and reports whether the archiver is to die now.
func (p *proxy) note(key string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.data(key) {
		if p.count++; p.first.IsZero() {
			p.first = time.Now()
		}
	}
	if p.aim == nil || !p.aim.key(key) {
		return false
	}
	p.seen++
	return p.seen == p.aim.nth
}

// progress returns how many objects with rows were stored, and when the first one was.
func (p *proxy) progress() (objects int, first time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count, p.first
}

// hangUp closes the connection without an answer.
func hangUp(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		conn.Close()
	}
}
