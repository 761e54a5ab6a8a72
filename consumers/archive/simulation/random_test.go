package simulation_test

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// stream returns the random numbers of one thing. They depend on the seed and on its name alone.
func stream(seed uint64, name ...any) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprintln(h, name...)
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// between returns a duration of at least least and less than most.
func between(rng *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(rng.Int64N(int64(most-least)))
}

// wait lets virtual time pass.
func wait(d time.Duration) { <-time.After(d) }
