package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// moment is a time to kill: some time after something was seen.
type moment struct {
	name string
	// seen says whether it is there; said is what the stack has printed since its launch. nil: at once.
	seen        func(v *victim, said string) bool
	least, most time.Duration
	unready     bool // counted from the launch, without waiting for readiness
}

// patience is how long a moment is waited for before its turn is over.
const patience = 10 * time.Second

func jobStarted(_ *victim, said string) bool { return strings.Contains(said, `msg="job started"`) }

// moments are the times at which a kill hurts most: the first few are of the parts of the loop.
var moments = []moment{
	{name: "events are under way", most: 20 * time.Millisecond,
		seen: func(v *victim, _ string) bool { return v.exchange.publishing.Load() > 0 }},
	{name: "a dataset is being built", most: 500 * time.Millisecond,
		seen: func(v *victim, _ string) bool { return v.hasChild("signalbox-duckdb") }},
	{name: "a job runs", most: 3 * time.Second, seen: jobStarted},
	{name: "a package is being judged", most: 400 * time.Millisecond,
		seen: func(v *victim, said string) bool { return jobStarted(v, said) && !v.hasChild("python") }},
	{name: "any time", least: 300 * time.Millisecond, most: 4 * time.Second},
	starting,
}

// ofLoop is how many moments are of parts of the loop.
const ofLoop = 4

var starting = moment{name: "start", most: 2500 * time.Millisecond, unready: true}

// plan returns n moments in an order of chance: each kind before any comes again. A few are only those of the loop.
func plan(rng *rand.Rand, n int) []moment {
	kinds := moments
	if n <= ofLoop {
		kinds = moments[:ofLoop]
	}
	var out []moment
	for len(out) < n {
		for _, i := range rng.Perm(len(kinds)) {
			out = append(out, kinds[i])
		}
	}
	return out[:n]
}

// wait returns when the moment has come, and says how it was.
func (m moment) wait(t *testing.T, v *victim) string {
	t.Helper()
	after := m.least + time.Duration(v.rng.Int64N(int64(m.most-m.least)+1))
	if m.unready {
		<-time.After(after)
		return fmt.Sprintf("%s after the launch", after.Round(time.Millisecond))
	}
	v.ready(t)
	begin := time.Now()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	how := fmt.Sprintf("%s after: %s", after.Round(time.Millisecond), m.name)
	for m.seen != nil {
		if m.seen(v, v.said(t)) {
			break
		}
		if time.Since(begin) > patience {
			how = fmt.Sprintf("%s passed without: %s", patience, m.name)
			break
		}
		<-tick.C
	}
	<-time.After(after)
	return how
}
