package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	fileKey     = "/signalbox/archive/v1/topic=ticks.0a1b2c3d/type=tick.up/date=2026-01-02/hour=03/p3-10-20-7.parquet"
	manifestKey = "/signalbox/manifests/0a1b2c3d4e5f60718293a4b5c6d7e8f9/00003/00000000000000000010.json"
)

// store is an object store that remembers what it got whole.
type store struct {
	mu   sync.Mutex
	kept map[string]string
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // cut
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept[r.URL.Path] = string(body)
	w.Header().Set("ETag", "e")
}

func (s *store) has(path string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.kept[path]
	return ok
}

func startS3Proxy(t *testing.T) (*s3proxy, *store) {
	t.Helper()
	st := &store{kept: map[string]string{}}
	server := httptest.NewServer(st)
	t.Cleanup(server.Close)
	p, err := newS3Proxy(server.URL, &gate{}, &storeFaults{}, &putAudit{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	return p, st
}

// put returns the status, or 0 without an answer.
func put(t *testing.T, p *s3proxy, path string, create bool) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, p.endpoint()+path, strings.NewReader("0123456789"))
	if err != nil {
		t.Fatal(err)
	}
	req.GetBody = nil // no second try by the transport
	if create {
		req.Header.Set("If-None-Match", "*")
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

func TestS3ProxyHoldsBeforeAndAfter(t *testing.T) {
	for _, tc := range []struct {
		at      moment
		path    string
		forward bool
		stored  bool // while it is held
		status  int
	}{
		{fileSent, fileKey, false, false, 0}, {fileSent, fileKey, true, false, 200}, {fileStored, fileKey, false, true, 0},
		{fileStored, fileKey, true, true, 200}, {mirrorSent, manifestKey, false, false, 0}, {mirrorStored, manifestKey, false, true, 0},
	} {
		p, st := startS3Proxy(t)
		c := p.gate.arm(tc.at)
		status := make(chan int, 1)
		go func() { status <- put(t, p, tc.path, true) }()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		part, ok := c.wait(ctx)
		cancel()
		if !ok || part != (partition{"0a1b2c3d", 3}) {
			t.Fatalf("%s: held %v %v", tc.at, part, ok)
		}
		if st.has(tc.path) != tc.stored {
			t.Errorf("%s: the store has it: %v", tc.at, !tc.stored)
		}
		c.release(tc.forward)
		if got := <-status; got != tc.status {
			t.Errorf("%s, forward %v: status %d, want %d", tc.at, tc.forward, got, tc.status)
		}
		if st.has(tc.path) != (tc.stored || tc.forward) {
			t.Errorf("%s, forward %v: afterwards the store has it: %v", tc.at, tc.forward, st.has(tc.path))
		}
	}
}

func TestS3ProxyFaults(t *testing.T) {
	for _, tc := range []struct {
		fault  fault
		status int
		stored bool
	}{
		{s3Error, 500, false}, {s3SlowDown, 503, false}, {s3Conflict, 409, false}, {s3Lost, 0, true}, {s3Cut, 0, false}, {s3Slow, 200, true},
	} {
		p, st := startS3Proxy(t)
		p.faults.set(tc.fault)
		if got := put(t, p, fileKey, true); got != tc.status || st.has(fileKey) != tc.stored {
			t.Errorf("%s: status %d, stored %v, want %d, %v", tc.fault, got, st.has(fileKey), tc.status, tc.stored)
		}
		if got := put(t, p, "/signalbox/blobs/x", false); got != 200 {
			t.Errorf("%s: another object: %d", tc.fault, got)
		}
		if hits := p.faults.set(""); hits != 1 {
			t.Errorf("%s: %d hits, want 1", tc.fault, hits)
		}
		if got := put(t, p, fileKey, true); got != 200 {
			t.Errorf("%s: afterwards: %d", tc.fault, got)
		}
	}
}

func TestPutAudit(t *testing.T) {
	p, _ := startS3Proxy(t)
	put(t, p, fileKey, true)
	put(t, p, manifestKey, true)
	put(t, p, "/signalbox/probe/x", false)
	if n, bad := p.audit.count(), p.audit.take(); n != 2 || len(bad) != 0 {
		t.Errorf("%d writes, %q", n, bad)
	}
	put(t, p, fileKey, false)
	if n, bad := p.audit.count(), p.audit.take(); n != 3 || len(bad) != 1 || !strings.Contains(bad[0], "p3-10-20-7.parquet") {
		t.Errorf("%d writes, %q", n, bad)
	}
}
