package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxObject bounds what the proxy keeps of one request or answer, bytes. Test files are far smaller.
const maxObject = 256 << 20

// errCut is why an upload breaks off.
var errCut = errors.New("connection cut by the plan")

// s3proxy stands between one subject and the object store. It keeps each request until it has all of it, so that "sent"
// and "stored" are exact moments.
type s3proxy struct {
	upstream  *url.URL
	transport *http.Transport
	gate      *gate
	faults    *storeFaults
	audit     *putAudit
	server    *http.Server
	listener  net.Listener
}

// newS3Proxy serves until close.
func newS3Proxy(upstream string, g *gate, f *storeFaults, audit *putAudit) (*s3proxy, error) {
	u, err := url.Parse(upstream)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &s3proxy{upstream: u, gate: g, faults: f, audit: audit, listener: l,
		transport: &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true, IdleConnTimeout: 10 * time.Second}}
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = p.server.Serve(l) }() // it ends with close
	return p, nil
}

func (p *s3proxy) endpoint() string { return "http://" + p.listener.Addr().String() }

func (p *s3proxy) close() {
	_ = p.server.Close()
	p.transport.CloseIdleConnections()
}

// ServeHTTP passes one request on, or does to it what the plan says.
func (p *s3proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxObject))
	if err != nil {
		return // the subject was killed while it sent
	}
	req := classify(r)
	p.audit.see(req)
	f := p.faults.next(req)
	switch f {
	case s3Error:
		refuse(w, http.StatusInternalServerError, "InternalError")
		return
	case s3SlowDown:
		refuse(w, http.StatusServiceUnavailable, "SlowDown")
		return
	case s3Conflict:
		refuse(w, http.StatusConflict, "ConditionalRequestConflict")
		return
	case s3Slow:
		time.Sleep(slowness)
	case s3Cut:
		if resp, err := p.forward(r, io.MultiReader(bytes.NewReader(body[:len(body)/2]), broken{}), len(body)); err == nil {
			resp.Body.Close()
		}
		hangUp(w)
		return
	}
	if m, ok := req.sent(); ok && !p.gate.pass(m, req.part) {
		hangUp(w)
		return
	}
	resp, err := p.forward(r, bytes.NewReader(body), len(body))
	if err != nil {
		hangUp(w)
		return
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxObject))
	if err != nil || f == s3Lost {
		hangUp(w)
		return
	}
	if m, ok := req.stored(); ok && resp.StatusCode == http.StatusOK && !p.gate.pass(m, req.part) {
		hangUp(w)
		return
	}
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = w.Write(answer) // the subject may be dead
}

// forward sends the request on unchanged: it is signed for the host that the subject knows.
func (p *s3proxy) forward(r *http.Request, body io.Reader, size int) (*http.Response, error) {
	out, err := http.NewRequestWithContext(r.Context(), r.Method, p.upstream.String(), body)
	if err != nil {
		return nil, err
	}
	out.URL.Path, out.URL.RawPath, out.URL.RawQuery = r.URL.Path, r.URL.RawPath, r.URL.RawQuery
	out.Header, out.Host, out.ContentLength = r.Header.Clone(), r.Host, int64(size)
	out.Header.Del("Expect")
	out.Header.Del("Connection")
	if size == 0 {
		out.Body = http.NoBody
	}
	return p.transport.RoundTrip(out)
}

// broken is the rest of a body that never comes.
type broken struct{}

// Read fails, which makes the transport close its connection.
func (broken) Read([]byte) (int, error) { return 0, errCut }

// refuse answers as S3 does.
func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>injected</Message></Error>`, code)
}

// hangUp closes the connection without an answer.
func hangUp(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		conn.Close()
	}
}

// request is what the harness wants to know of one.
type request struct {
	method, key string // key without the bucket
	create      bool   // it may not overwrite
	size        int64
	archive     bool // a file
	manifest    bool
	part        partition
}

func classify(r *http.Request) request {
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	q := request{method: r.Method, key: key, create: r.Header.Get("If-None-Match") == "*", size: r.ContentLength}
	q.archive, q.manifest = strings.HasPrefix(key, "archive/"), strings.HasPrefix(key, "manifests/")
	q.part = partitionOf(key)
	return q
}

func (q request) sent() (moment, bool) {
	switch {
	case q.method != http.MethodPut:
	case q.archive:
		return fileSent, true
	case q.manifest:
		return mirrorSent, true
	}
	return "", false
}

func (q request) stored() (moment, bool) {
	m, ok := q.sent()
	return map[moment]moment{fileSent: fileStored, mirrorSent: mirrorStored}[m], ok
}
