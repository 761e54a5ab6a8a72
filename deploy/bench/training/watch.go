package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"github.com/signalbox-ml/signalbox/deploy/examples/flights"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
)

// appears bounds how long something may take that should take milliseconds.
const appears = time.Minute

// firstSeen keeps when each of many things was first seen, for those who wait for them.
type firstSeen struct {
	what  string
	mu    sync.Mutex
	times map[string]time.Time
	more  chan struct{} // closed at each new one, and when nothing comes any more
	over  bool
}

func newFirstSeen(what string) *firstSeen {
	return &firstSeen{what: what, times: map[string]time.Time{}, more: make(chan struct{})}
}

// end says that nothing comes any more.
func (s *firstSeen) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	close(s.more)
	s.more = make(chan struct{})
}

// see reports whether id is new.
func (s *firstSeen) see(id string) bool {
	at := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, twice := s.times[id]; twice {
		return false
	}
	s.times[id] = at
	close(s.more)
	s.more = make(chan struct{})
	return true
}

func (s *firstSeen) look(id string) (at time.Time, ok, over bool, more <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok = s.times[id]
	return at, ok, s.over, s.more
}

// wait returns when id was seen.
func (s *firstSeen) wait(ctx context.Context, id string) (time.Time, error) {
	bound := time.NewTimer(appears)
	defer bound.Stop()
	for {
		at, ok, over, more := s.look(id)
		if ok {
			return at, nil
		}
		if over {
			return at, fmt.Errorf("the watch ended before the %s %s", s.what, id)
		}
		select {
		case <-more:
		case <-bound.C:
			return at, fmt.Errorf("the %s %s did not appear within %s", s.what, id, appears)
		case <-ctx.Done():
			return at, context.Cause(ctx)
		}
	}
}

// jobWatch sees Jobs when an API server tells of them.
type jobWatch struct {
	*firstSeen
	stream watch.Interface
	done   chan struct{}
}

// watchJobs watches a namespace for Jobs, known by the value of a label. Close it.
func watchJobs(ctx context.Context, client kubernetes.Interface, namespace, label string) (*jobWatch, error) {
	forever := int64((24 * time.Hour).Seconds())
	stream, err := client.BatchV1().Jobs(namespace).Watch(ctx, metav1.ListOptions{LabelSelector: label, TimeoutSeconds: &forever})
	if err != nil {
		return nil, fmt.Errorf("watch jobs: %w", err)
	}
	w := &jobWatch{firstSeen: newFirstSeen("job of run"), stream: stream, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		defer w.end()
		for e := range stream.ResultChan() {
			if job, ok := e.Object.(*batchv1.Job); ok && e.Type == watch.Added {
				w.see(job.Labels[label])
			}
		}
	}()
	return w, nil
}

func (w *jobWatch) close() {
	w.stream.Stop()
	<-w.done
}

// runWatch sees runs when Kafka has the event of their request.
type runWatch struct {
	*firstSeen
	done chan struct{}
}

// watchRuns follows the topic of runs until ctx ends; close waits for that.
func watchRuns(ctx context.Context, cfg kafka.Config) *runWatch {
	w := &runWatch{firstSeen: newFirstSeen("event of run"), done: make(chan struct{})}
	go func() {
		defer close(w.done)
		defer w.end()
		follower, err := kafka.NewFollower(cfg)
		if err != nil {
			return // whoever waits says what is missing
		}
		_ = follower.Follow(ctx, events.TopicRuns, func(ev events.Event) {
			if ev.Type() != events.TypeRunRequested {
				return
			}
			var data events.RunChanged
			if ev.DataAs(&data) == nil {
				w.see(data.RunID)
			}
		}, func() {})
	}()
	return w
}

func (w *runWatch) close() { <-w.done }

// readyWatch sees datasets when Kafka has the event that they are ready, and keeps the events.
type readyWatch struct {
	*firstSeen
	done chan struct{}

	mu  sync.Mutex
	evs []events.Event
}

// watchReady follows the topic of datasets until ctx ends; close waits for that.
func watchReady(ctx context.Context, cfg kafka.Config) *readyWatch {
	w := &readyWatch{firstSeen: newFirstSeen("event of dataset"), done: make(chan struct{})}
	go func() {
		defer close(w.done)
		defer w.end()
		follower, err := kafka.NewFollower(cfg)
		if err != nil {
			return // whoever waits says what is missing
		}
		_ = follower.Follow(ctx, events.TopicDatasets, w.take, func() {})
	}()
	return w
}

// take keeps the first event of each dataset.
func (w *readyWatch) take(ev events.Event) {
	var data events.DatasetReady
	if ev.DataAs(&data) != nil || !w.see(data.Dataset) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.evs = append(w.evs, ev)
}

// all returns the first event of each dataset so far.
func (w *readyWatch) all() []events.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.evs)
}

func (w *readyWatch) close() { <-w.done }

// until polls f until it says true, an error, or a bound is reached. A document that is not there yet is no error.
func until(ctx context.Context, what string, f func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 10*time.Minute, errors.New("not within 10 minutes"))
	defer cancel()
	t := time.NewTicker(50 * time.Millisecond)
	defer t.Stop()
	for {
		ok, err := f()
		var refused *flights.Refusal
		if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
			err = nil
		}
		if ok || err != nil {
			return err
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, context.Cause(ctx))
		}
	}
}
