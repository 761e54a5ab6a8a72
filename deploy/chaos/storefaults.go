package main

import (
	"net/http"
	"sync"
	"time"
)

// slowness is what a slow store adds to a request.
const slowness = 400 * time.Millisecond

// storeFaults is the fault that one subject's requests meet at the moment, if any.
type storeFaults struct {
	mu    sync.Mutex
	fault fault
	turn  int
	hits  int
}

// set starts a fault, or ends it with "", and returns how many requests the one before hit.
func (s *storeFaults) set(f fault) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	hits := s.hits
	s.fault, s.turn, s.hits = f, 0, 0
	return hits
}

// hit is how many requests the fault of the moment has met.
func (s *storeFaults) hit() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hits
}

// next returns what happens to a request. Two of three that can have the fault have it, so that repeats meet it again and
// yet get through. Only the archive's requests count: a store that is faulty while a process starts keeps it from starting.
func (s *storeFaults) next(q request) fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault == "" || !q.archive && !q.manifest {
		return ""
	}
	put := q.method == http.MethodPut
	switch s.fault {
	case s3Cut:
		if !put || q.size < 2 {
			return ""
		}
	case s3Conflict:
		if !put || !q.create {
			return ""
		}
	case s3Lost:
		if !put {
			return ""
		}
	}
	if s.turn++; s.turn%3 == 0 {
		return ""
	}
	s.hits++
	return s.fault
}
