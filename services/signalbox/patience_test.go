package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-ml/signalbox/events/kafka"
)

// TestPatiently: a server that comes is waited for, one that does not ends the process, and so does at once what no waiting
// helps against.
func TestPatiently(t *testing.T) {
	down := errors.New("connection refused")
	refused := fmt.Errorf("dial: %w", kafka.ErrSecurity)
	for _, tc := range []struct {
		name     string
		embedded bool
		answer   func(since time.Duration) error
		want     error
		took     time.Duration
	}{
		{"there", false, func(time.Duration) error { return nil }, nil, 0},
		{"comes", false, func(since time.Duration) error {
			if since < 20*time.Second {
				return down
			}
			return nil
		}, nil, 20 * time.Second},
		{"never comes", false, func(time.Duration) error { return down }, down, startPatience},
		{"refuses us", false, func(time.Duration) error { return refused }, kafka.ErrSecurity, 0},
		{"our own", true, func(time.Duration) error { return down }, down, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, begin := &app{log: slog.New(slog.DiscardHandler), embedded: tc.embedded}, time.Now()
				err := a.patiently(t.Context(), "kafka", func(context.Context) error { return tc.answer(time.Since(begin)) })
				if !errors.Is(err, tc.want) || time.Since(begin) != tc.took {
					t.Errorf("%v after %s, want %v after %s", err, time.Since(begin), tc.want, tc.took)
				}
			})
		})
	}
}
