package simulation_test

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// A block is some hours with faults and a while without.
const (
	blockFaults = 6*time.Hour + 30*time.Minute
	blockLength = 8 * time.Hour
	dayBlocks   = int(24 * time.Hour / blockLength)
)

// step is one line of a plan.
type step struct {
	at     time.Duration // from the start of the block
	fault  fault
	target int           // which archiver
	length time.Duration // of what goes on for a while
	share  float64       // of calls that are spoiled
	n      int           // which step this is of its kind, for streams of its own
}

// lengths of faults that go on, at least and at most.
func lengths(f fault) (least, most time.Duration) {
	switch f {
	case stop, stopPut, stopCommit: // most are longer than a session
		return 10 * time.Second, 5 * time.Minute
	case kafkaCut, kafkaHeld:
		return time.Second, 2 * time.Minute
	case kafkaCommit: // offsets are committed only where a file was
		return 5 * time.Minute, 30 * time.Minute
	case kafkaNotLeader, kafkaRebalance, kafkaCoordinator:
		return 5 * time.Second, time.Minute
	}
	return time.Minute, 15 * time.Minute
}

// planOf draws what happens in a block, in order of time.
func planOf(seed uint64, block, archivers int) []step {
	var steps []step
	for _, f := range slices.Sorted(maps.Keys(kinds())) {
		rng := stream(seed, "plan", block, f)
		for n := range kinds()[f] {
			least, most := lengths(f)
			steps = append(steps, step{
				at: between(rng, 0, blockFaults), fault: f, target: rng.IntN(archivers),
				length: between(rng, least, most), share: 0.2 + 0.7*rng.Float64(), n: block*1000 + n,
			})
		}
	}
	slices.SortFunc(steps, func(x, y step) int { return cmp.Or(cmp.Compare(x.at, y.at), cmp.Compare(x.fault, y.fault)) })
	return steps
}
