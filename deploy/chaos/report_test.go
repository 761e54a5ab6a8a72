package main

import (
	"strings"
	"testing"
	"time"
)

// reportOf is a report in which every planned fault hit.
func reportOf(t *testing.T) *report {
	t.Helper()
	p := makePlan(3, time.Minute)
	r := &report{options: options{Seed: 3, Duration: time.Minute}, tally: newTally(p), acked: 5, rows: 5}
	r.watch.stale = 2
	for _, s := range append(p.Process, p.Store...) {
		r.tally.done(s.Fault, true, 1)
	}
	return r
}

func TestVerdict(t *testing.T) {
	tests := []struct {
		name   string
		change func(*report)
		want   outcome
		says   string
	}{
		{"everything hit", func(*report) {}, verdictPass, "PASS"},
		{"one violation", func(r *report) { r.found.add(breachLost, "offset 7") }, verdictFail, "VIOLATION lost: offset 7"},
		{"a kind that never hit", func(r *report) { r.tally.faults[s3Cut].hit = 0 }, verdictVoid, `"s3 body cut" never hit`},
		{"a violation in a void run", func(r *report) {
			r.tally.faults[s3Cut].hit = 0
			r.found.add(breachTwice, "offset 7")
		}, verdictFail, "FAIL: 1 violations, the first"},
		{"nobody was stale", func(r *report) { r.watch.stale = 0 }, verdictVoid, "no stale owner"},
		{"too few kills", func(r *report) { r.options.MinKills = 1000 }, verdictVoid, "want 1000"},
		{"too few conflicts", func(r *report) { r.options.MinConflicts = 3 }, verdictVoid, "2 stale owners refused, want 3"},
		{"nothing archived", func(r *report) { r.rows = 0 }, verdictVoid, "nothing was archived"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			r := reportOf(t)
			tc.change(r)
			var out strings.Builder
			r.print(&out)
			if r.verdict() != tc.want || !strings.Contains(out.String(), tc.says) {
				t.Errorf("verdict %d, want %d, and %q in\n%s", r.verdict(), tc.want, tc.says, out.String())
			}
			if again := strings.Contains(out.String(), "replay: go run ./deploy/chaos --seed 3 --duration 1m0s"); again != (tc.want != verdictPass) {
				t.Errorf("how to do it again is there: %v", again)
			}
		})
	}
}

func TestQuantile(t *testing.T) {
	ds := []time.Duration{4 * time.Second, time.Second, 3 * time.Second, 2 * time.Second}
	if got := quantile(ds, 0.5); got != 3*time.Second {
		t.Errorf("median %s", got)
	}
	if quantile(nil, 0.5) != 0 || longest(nil) != 0 || quantile(ds, 1) != longest(ds) {
		t.Error("the ends are wrong")
	}
}
