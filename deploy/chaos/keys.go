package main

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// partitionOf reads the partition out of the name of a file or of a manifest; zero where there is none.
func partitionOf(key string) partition {
	parts := strings.Split(key, "/")
	switch {
	case strings.HasPrefix(key, "manifests/") && len(parts) == 4 && len(parts[1]) >= 8:
		n, err := strconv.ParseInt(parts[2], 10, 32)
		if err != nil {
			return partition{}
		}
		return partition{topic: parts[1][:8], number: int32(n)}
	case strings.HasPrefix(key, "archive/v1/topic=") && len(parts) == 7:
		name := parts[2]
		digits, _, ok := strings.Cut(strings.TrimPrefix(parts[6], "p"), "-")
		n, err := strconv.ParseInt(digits, 10, 32)
		if at := strings.LastIndexByte(name, '.'); ok && err == nil && at >= 0 {
			return partition{topic: name[at+1:], number: int32(n)}
		}
	}
	return partition{}
}

// putAudit knows every write below archive/ and manifests/, of every subject.
type putAudit struct {
	mu         sync.Mutex
	puts       int
	violations []string
}

// see notes a request that could take something away that was archived.
func (a *putAudit) see(q request) {
	if !q.archive && !q.manifest || q.method == http.MethodGet || q.method == http.MethodHead {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if q.method == http.MethodPut {
		a.puts++
	}
	if q.method != http.MethodPut || !q.create {
		a.violations = append(a.violations, fmt.Sprintf("overwriting %s of %s", q.method, q.key))
	}
}

// take hands over the violations since the last time.
func (a *putAudit) take() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	v := a.violations
	a.violations = nil
	return v
}

func (a *putAudit) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.puts
}
