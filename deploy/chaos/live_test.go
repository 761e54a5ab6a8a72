package main

import "testing"

func TestJudgeLive(t *testing.T) {
	p, q := logPartition{"0a1b2c3d", "events.x", 0}, logPartition{"0a1b2c3d", "events.x", 1}
	again := records(30) // the event of offset 11 once more, in another partition
	again[0].id = "e11"
	log := map[logPartition][]row{p: records(10, 11, 12), q: append(records(20), again...)}
	rows := func(inP, inQ []row) map[logPartition][]row { return map[logPartition][]row{p: inP, q: inQ} }
	tests := []struct {
		name       string
		live       map[logPartition][]row
		duplicates int64
		want       map[breach]int
	}{
		{"all of it", rows(records(10, 11, 12), append(records(20), again...)), 0, nil},
		{"in another order", rows(records(12, 10, 11), append(records(20), again...)), 0, nil},
		{"the second of two is left out", rows(records(10, 11, 12), records(20)), 1, nil},
		{"and the swaps do not say so", rows(records(10, 11, 12), records(20)), 0, map[breach]int{breachChain: 1}},
		{"both are left out", rows(records(10, 12), records(20)), 2, map[breach]int{breachLost: 2, breachChain: 1}},
		{"an event of which there is no other", rows(records(10, 11), append(records(20), again...)), 1, map[breach]int{breachLost: 1, breachChain: 1}},
		{"twice", rows(records(10, 11, 11, 12), append(records(20), again...)), 0, map[breach]int{breachTwice: 1}},
		{"of a partition that is not there", map[logPartition][]row{p: records(10, 11, 12), q: append(records(20), again...),
			{"0a1b2c3d", "events.x", 2}: records(5)}, 0, map[breach]int{breachForeign: 1}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			var got findings
			judgeLive(log, tc.live, tc.duplicates, &got)
			for _, b := range breaches() {
				if got.counts[b] != tc.want[b] {
					t.Errorf("%s: %d, want %d: %q", b, got.counts[b], tc.want[b], got.words)
				}
			}
		})
	}
}
