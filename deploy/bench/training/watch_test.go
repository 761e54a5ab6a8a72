package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestFirstSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFirstSeen("run")
		begin := time.Now()
		go func() {
			for _, id := range []string{"other", "run", "run"} {
				time.Sleep(time.Second)
				s.see(id)
			}
		}()
		got, err := s.wait(t.Context(), "run")
		if err != nil || got.Sub(begin) != 2*time.Second {
			t.Errorf("seen after %s, %v, want 2s: the first time counts", got.Sub(begin), err)
		}
		synctest.Wait()
		time.Sleep(time.Minute)
		if got, err = s.wait(t.Context(), "run"); err != nil || got.Sub(begin) != 2*time.Second {
			t.Errorf("asked later: %s, %v", got.Sub(begin), err)
		}
		if s.see("run") {
			t.Error("seen again, and new")
		}
	})
}

func TestFirstSeenKnowsThatNothingComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, begin := newFirstSeen("run"), time.Now()
		time.AfterFunc(time.Second, s.end)
		if _, err := s.wait(t.Context(), "never"); err == nil || time.Since(begin) != time.Second {
			t.Errorf("after %s: %v", time.Since(begin), err)
		}
	})
}

func TestFirstSeenGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		if _, err := newFirstSeen("run").wait(t.Context(), "never"); err == nil || time.Since(begin) != appears {
			t.Errorf("after %s: %v", time.Since(begin), err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("told to stop")
		cancel(why)
		if _, err := newFirstSeen("run").wait(ctx, "never"); !errors.Is(err, why) {
			t.Errorf("stopped: %v", err)
		}
	})
}
