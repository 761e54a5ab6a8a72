package main

import (
	"fmt"
	"testing"
)

// lookAt is one look at partitions 0 to 3, each with more in the log than in the ledger.
func (c *checker) lookAt(next ...int64) {
	var parts []ledgerPartition
	for i, n := range next {
		p := logPartition{"0a1b2c3d", "events.x", int32(i)}
		parts = append(parts, ledgerPartition{p, n})
		c.tail.next[p] = 1 << 40
	}
	c.progress(parts)
}

func testChecker() *checker {
	return newChecker(ledgerReader{}, nil, &tail{changed: make(chan struct{}), topics: map[string]string{}, deleted: map[string]bool{},
		rows: map[logPartition][]row{}, next: map[logPartition]int64{}, ids: map[string]string{}, sealed: map[string]int{}})
}

func TestProgressFindsWhatStandsStill(t *testing.T) {
	tests := []struct {
		name  string
		moves func(i int64) []int64
		want  int
	}{
		{"all move", func(i int64) []int64 { return []int64{i, i, i, i} }, 0},
		{"one stands still", func(i int64) []int64 { return []int64{i, 7, i, i} }, 1},
		{"one moves now and then", func(i int64) []int64 { return []int64{i, i / (standsStill - 2), i, i} }, 0},
		{"nobody moves", func(int64) []int64 { return []int64{1, 2, 3, 4} }, 4},
		{"nothing is left to do", func(int64) []int64 { return []int64{1 << 40, 1 << 40} }, 0},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			c := testChecker()
			for i := range int64(3 * standsStill) {
				c.lookAt(tc.moves(i)...)
			}
			if got := c.found.counts[breachBehind]; got != tc.want || c.found.total() != tc.want {
				t.Errorf("%d findings, want %d: %q", got, tc.want, c.found.words)
			}
		})
	}
}

func TestProgressForgetsDeletedTopics(t *testing.T) {
	c := testChecker()
	c.tail.deleted["0a1b2c3d"] = true
	for i := range int64(3 * standsStill) {
		c.lookAt(i, 7, i, i)
	}
	if c.found.total() != 0 {
		t.Errorf("%q", c.found.words)
	}
}

func TestFinishCountsWhatWentWithItsTopic(t *testing.T) {
	c := testChecker()
	gone, there := logPartition{"01", "events.x", 0}, logPartition{"02", "events.x", 0}
	c.tail.rows[gone], c.tail.rows[there] = records(5, 6), records(0)
	c.tail.deleted["01"] = true
	for _, r := range records(0, 5, 6) {
		c.tail.ids[r.id] = "01"
	}
	c.unlogged["found before"] = true
	c.finish(map[string]string{"e5": "01", "e0": "02", "found before": ""})
	if c.deleted != 2 || c.found.counts[breachLost] != 1 || c.found.counts[breachAcked] != 1 || c.found.total() != 2 {
		t.Errorf("%d deleted, %q", c.deleted, c.found.words)
	}
}

func TestAimedPlanHasItsKindsAlone(t *testing.T) {
	p := aimedPlan(3, huntFor, stopUpdate, remakeTopic)
	if fmt.Sprint(p.Kinds) != fmt.Sprint([]fault{stopUpdate, remakeTopic}) || len(p.Store) != 0 || len(p.Process) < 5 {
		t.Errorf("%+v", p)
	}
	for _, s := range p.Process {
		if s.Fault != stopUpdate && s.Fault != remakeTopic {
			t.Errorf("%s was not asked for", s.Fault)
		}
	}
}
