package outbox_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/outbox"
	"github.com/signalbox-ml/signalbox/registry/outbox/outboxtest"
)

// eventLog is a publisher that can fail, and take its time.
type eventLog struct {
	mu    sync.Mutex
	ids   []string
	when  []time.Time
	down  error
	takes time.Duration
	tries int
	then  func()
}

func (l *eventLog) Publish(ctx context.Context, evs ...events.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tries++
	select {
	case <-time.After(l.takes):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if l.down != nil {
		return l.down
	}
	for _, ev := range evs {
		l.ids, l.when = append(l.ids, ev.ID()), append(l.when, time.Now())
	}
	if l.then != nil {
		l.then()
	}
	return nil
}

func (l *eventLog) set(down error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = down
}

func (l *eventLog) published() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.ids, " ")
}

// deaf hides that a source can wake.
type deaf struct{ outbox.Source }

// run starts a relay in the bubble and returns what stops it and waits.
func run(t *testing.T, cfg outbox.Config) (stop func()) {
	t.Helper()
	r, err := outbox.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

func add(t *testing.T, m *outboxtest.Memory, ids string) {
	for _, id := range strings.Fields(ids) {
		m.Add(outboxtest.Event(t, id, "m/production"))
	}
}

func TestWakeUpIsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, l := outboxtest.NewMemory(), &eventLog{}
		defer run(t, outbox.Config{Source: m, Publisher: l})()
		synctest.Wait()
		began := time.Now()
		add(t, m, "a b")
		synctest.Wait()
		if l.published() != "a b" || time.Since(began) != 0 {
			t.Errorf("published %q after %v, want both at once", l.published(), time.Since(began))
		}
	})
}

func TestPollFindsWhatNobodyAnnounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, l := outboxtest.NewMemory(), &eventLog{}
		defer run(t, outbox.Config{Source: deaf{m}, Publisher: l, Poll: time.Second})()
		synctest.Wait()
		add(t, m, "a")
		time.Sleep(time.Second)
		synctest.Wait()
		if l.published() != "a" {
			t.Errorf("published %q after one poll", l.published())
		}
	})
}

func TestLostWakerComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, l := outboxtest.NewMemory(), &eventLog{}
		defer run(t, outbox.Config{Source: m, Publisher: l, Poll: time.Second})()
		synctest.Wait()
		m.Deafen(errors.New("connection lost"))
		add(t, m, "a")
		time.Sleep(time.Second)
		synctest.Wait()
		if l.published() != "a" {
			t.Errorf("published %q by polling", l.published())
		}
		m.Deafen(nil)
		time.Sleep(10 * time.Second) // longer than any back-off
		synctest.Wait()
		began := time.Now()
		add(t, m, "b")
		synctest.Wait()
		if l.published() != "a b" || time.Since(began) != 0 {
			t.Errorf("published %q %v after the wake-ups are back", l.published(), time.Since(began))
		}
	})
}

func TestBatchesFollowAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, l := outboxtest.NewMemory(), &eventLog{}
		add(t, m, "a b c d e")
		began := time.Now()
		defer run(t, outbox.Config{Source: deaf{m}, Publisher: l, Batch: 2})()
		synctest.Wait()
		if l.published() != "a b c d e" || time.Since(began) != 0 || l.tries != 3 {
			t.Errorf("published %q in %d batches after %v, want 3 without a pause", l.published(), l.tries, time.Since(began))
		}
	})
}

func TestBackoffWhileTheLogIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, l := outboxtest.NewMemory(), &eventLog{down: errors.New("no broker")}
		add(t, m, "a b")
		stop := run(t, outbox.Config{Source: m, Publisher: l, Poll: 100 * time.Millisecond, MaxBackoff: time.Second})
		time.Sleep(time.Minute)
		synctest.Wait()
		// 0.1 + 0.2 + 0.4 + 0.8 s, then every second.
		if l.tries < 55 || l.tries > 65 {
			t.Errorf("%d tries in a minute, want about one a second", l.tries)
		}
		if m.Len() != 2 {
			t.Errorf("%d events wait, want all", m.Len())
		}
		l.set(nil)
		time.Sleep(time.Second)
		synctest.Wait()
		if l.published() != "a b" {
			t.Errorf("published %q once the log is back", l.published())
		}
		stop()
	})
}

// TestCrashRepeats: what was published and not deleted comes again, and nothing overtakes it.
func TestCrashRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, l := outboxtest.NewMemory(), &eventLog{}
		crashes := 0
		l.then = func() {
			if crashes < 2 {
				crashes++
				m.Crash()
			}
		}
		add(t, m, "a b c")
		stop := run(t, outbox.Config{Source: m, Publisher: l, Batch: 2})
		time.Sleep(time.Minute)
		stop()
		if want := "a b a b a b c"; l.published() != want {
			t.Errorf("published %q, want %q", l.published(), want)
		}
	})
}

func TestStopPublishesWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, l := outboxtest.NewMemory(), &eventLog{takes: time.Second}
		add(t, m, "a b c d e")
		stop := run(t, outbox.Config{Source: m, Publisher: l, Batch: 2, Drain: time.Minute})
		time.Sleep(500 * time.Millisecond) // in the middle of the first batch
		stop()
		if l.published() != "a b c d e" || m.Len() != 0 {
			t.Errorf("published %q, %d left", l.published(), m.Len())
		}
	})
}

func TestStopIsBounded(t *testing.T) {
	for name, l := range map[string]*eventLog{
		"the log hangs":   {takes: time.Hour},
		"the log is down": {down: errors.New("no broker")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := outboxtest.NewMemory()
				add(t, m, "a")
				stop := run(t, outbox.Config{Source: m, Publisher: l, Drain: 3 * time.Second})
				synctest.Wait()
				began := time.Now()
				stop()
				if took := time.Since(began); took > 3*time.Second {
					t.Errorf("stop took %v, want at most 3s", took)
				}
				if m.Len() != 1 {
					t.Error("an event that was not published is gone")
				}
			})
		})
	}
}

// TestTwoRelays: one stops in the middle; the other goes on where it was.
func TestTwoRelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, l := outboxtest.NewMemory(), &eventLog{takes: 10 * time.Millisecond}
		first := run(t, outbox.Config{Source: m, Publisher: l, Batch: 3})
		second := run(t, outbox.Config{Source: m, Publisher: l, Batch: 3})
		var want []string
		for i := range 40 {
			id := string(rune('a'+i%26)) + string(rune('0'+i/26))
			want = append(want, id)
			add(t, m, id)
			time.Sleep(7 * time.Millisecond)
			if i == 20 {
				first()
			}
		}
		second()
		if got := strings.Fields(l.published()); !slices.Equal(got, want) {
			t.Errorf("published %q, want %q", got, want)
		}
	})
}

func TestConfigFaults(t *testing.T) {
	_, err := outbox.New(outbox.Config{Batch: -1})
	for _, want := range []string{"source is missing", "publisher is missing", "batch -1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New: %v, want %q in it", err, want)
		}
	}
}
