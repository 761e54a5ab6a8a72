package kafka

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// newTestLane returns a lane on a client that never gets through.
func newTestLane(t *testing.T) *lane {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers("127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return newLane(cl, "t", 0)
}

func TestLaneIsCaughtUpOnlyAtItsOwnPosition(t *testing.T) {
	l := newTestLane(t)
	notice := func() bool { l.mu.Lock(); defer l.mu.Unlock(); return l.quiet.idle }
	l.caughtUp(0, time.Now())
	l.moved(5)
	l.caughtUp(6, time.Now()) // a record came after the lane was seen to be quiet
	if notice() {
		t.Error("told of an end that it did not reach")
	}
	l.caughtUp(5, time.Now())
	if !notice() {
		t.Error("not told")
	}
	if f, ok := l.take(time.Second); !ok || !f.idle || f.end != 5 {
		t.Errorf("took %+v", f)
	}
	l.caughtUp(5, time.Now()) // busy with what it took
	if notice() {
		t.Error("told while busy")
	}
	l.push(fetched{})
	l.caughtUp(5, time.Now())
	if notice() {
		t.Error("told with records waiting")
	}
}

func TestLaneForgetsOldNotices(t *testing.T) {
	l := newTestLane(t)
	l.moved(5)
	l.caughtUp(5, time.Now().Add(-time.Minute))
	l.nudge(time.Millisecond)
	if f, ok := l.take(time.Second); !ok || f.idle {
		t.Errorf("took %+v", f)
	}
}

// A notice is older than records that came after it, which are taken first.
func TestLaneForgetsNoticesThatItWentBeyond(t *testing.T) {
	l := newTestLane(t)
	l.moved(5)
	l.caughtUp(5, time.Now())
	l.push(fetched{end: 6})
	if f, ok := l.take(time.Second); !ok || f.idle {
		t.Errorf("took %+v before the records", f)
	}
	l.moved(6)
	l.nudge(time.Millisecond)
	if f, ok := l.take(time.Second); !ok || f.idle {
		t.Errorf("took %+v, which says that offset 6 is not there yet", f)
	}
}

func TestDisownedLaneDoesNotCommit(t *testing.T) {
	l := newTestLane(t)
	l.disown()
	if err := l.commit(t.Context(), "g", 1, 0); !errors.Is(err, errDisowned) {
		t.Errorf("got %v", err)
	}
}

// Work that ignores the end of its context keeps the partition's next lane waiting, not the group.
func TestNextLaneWaitsForTheLastOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(Config{}.withDefaults(), false, time.Second)
		wake := make(chan struct{})
		old := g.add(nil, "t", 0)
		g.begin(t.Context(), old, func(context.Context, *lane) { <-wake })
		begin := time.Now()
		g.drop(map[string][]int32{"t": {0}}, 5*time.Second)
		if took := time.Since(begin); took != 5*time.Second+abandonGrace {
			t.Errorf("dropped after %s", took)
		}
		skipped := g.add(nil, "t", 0) // comes and goes while the old one still runs
		g.begin(t.Context(), skipped, func(context.Context, *lane) { t.Error("two at a time") })
		g.drop(map[string][]int32{"t": {0}}, time.Second)
		ran := make(chan struct{})
		g.begin(t.Context(), g.add(nil, "t", 0), func(context.Context, *lane) { close(ran) })
		synctest.Wait()
		select {
		case <-ran:
			t.Error("two at a time")
		default:
		}
		close(wake)
		<-ran
		g.wg.Wait()
	})
}

func TestBackoffStaysInItsBounds(t *testing.T) {
	const low, high = 100 * time.Millisecond, 30 * time.Second
	for attempt, want := range map[int]time.Duration{1: low, 2: 2 * low, 5: 16 * low, 9: 256 * low, 10: high, 63: high, 1000: high} {
		for range 50 {
			if d := backoff(low, high, attempt); d > want || d <= want/2 {
				t.Errorf("attempt %d: %s, want within (%s, %s]", attempt, d, want/2, want)
			}
		}
	}
	if d := backoff(0, 0, 3); d != 0 {
		t.Errorf("no back-off is %s", d)
	}
}
