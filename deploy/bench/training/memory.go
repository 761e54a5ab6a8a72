package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/signalbox-ml/signalbox/deploy/bench/internal/figures"
)

// memory samples the resident memory of one process once a second.
type memory struct {
	pid  int
	end  context.CancelFunc
	done chan struct{}

	mu      sync.Mutex
	samples []int64
}

// watchMemory starts. Close it.
func watchMemory(pid int) *memory {
	ctx, cancel := context.WithCancel(context.Background())
	m := &memory{pid: pid, end: cancel, done: make(chan struct{})}
	go func() {
		defer close(m.done)
		t := time.NewTicker(time.Second)
		defer t.Stop()
		for {
			m.sample()
			select {
			case <-t.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return m
}

// sample returns the resident memory now, in bytes, and keeps it.
func (m *memory) sample() int64 {
	now := figures.Resident(m.pid)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.samples = append(m.samples, now)
	return now
}

// take returns the samples since the last call, in bytes; at least one.
func (m *memory) take() []int64 {
	m.sample()
	m.mu.Lock()
	defer m.mu.Unlock()
	out := m.samples
	m.samples = nil
	return out
}

// thirds returns the middle of the first and of the last third of samples: memory is flat where they are alike.
func thirds(samples []int64) (first, last int64) {
	n := max(1, len(samples)/3)
	middle := func(part []int64) int64 {
		sorted := slices.Sorted(slices.Values(part))
		return sorted[len(sorted)/2]
	}
	return middle(samples[:n]), middle(samples[len(samples)-n:])
}

// after waits and returns the memory then; samples are taken anew from there.
func (m *memory) after(ctx context.Context, d time.Duration) int64 {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
	m.take()
	return figures.Resident(m.pid)
}

func (m *memory) close() {
	m.end()
	<-m.done
}
