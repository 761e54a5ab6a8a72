package kubebackend

import (
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/train"
)

// A job without a pod is asked about after 3 s, then ever more seldom; a job of the same name starts anew.
func TestPodless(t *testing.T) {
	p := podless{jobs: map[string]podlessJob{}}
	pending, quota := train.Status{Phase: train.PhasePending}, train.Status{Phase: train.PhasePending, Reason: "exceeded quota"}
	start := now
	want := pending
	for _, wait := range []time.Duration{podlessFirst, 2 * podlessFirst, 4 * podlessFirst, 8 * podlessFirst, podlessMost, podlessMost} {
		if st, fresh := p.recall("a", pending, start); st != want || !fresh {
			t.Errorf("at first: %+v, fresh %t, want %+v", st, fresh, want)
		}
		if st, fresh := p.recall("a", pending, start.Add(wait-1)); st != want || !fresh {
			t.Errorf("before %s: %+v, fresh %t, want %+v", wait, st, fresh, want)
		}
		start = start.Add(wait)
		if _, fresh := p.recall("a", pending, start); fresh {
			t.Errorf("nobody asks after %s", wait)
		}
		want = quota
		p.remember("a", quota, start)
	}
	p.forget("a")
	if st, fresh := p.recall("a", pending, start); st != pending || !fresh {
		t.Errorf("a new one: %+v, fresh %t", st, fresh)
	}
}
