package tune

import (
	"fmt"
	"strconv"

	"github.com/signalbox-ml/signalbox/registry"
)

// stop says in words why a trial must not go on, "" where it may.
func stop(search registry.Search, t trial, trials []trial) string {
	if search.Algorithm != registry.AlgorithmASHA || len(t.points) == 0 {
		return ""
	}
	for _, rung := range search.ASHA.Rungs() {
		own, ok := reached(t.points, rung)
		if !ok {
			return ""
		}
		n, better := 0, 0
		for _, other := range trials {
			p, ok := reached(other.points, rung)
			if !ok || later(p, other, own, t) {
				continue
			}
			n++
			if search.Better(p.Value, own.Value) {
				better++
			}
		}
		reduction := int(search.ASHA.Reduction)
		if n >= reduction && better >= n/reduction {
			return fmt.Sprintf("asha: %s at step %d is not among the best %s of %d",
				strconv.FormatFloat(own.Value, 'g', 6, 64), rung, share(reduction), n)
		}
	}
	return ""
}

// reached is the first point at a step or behind it.
func reached(points []registry.Point, step int64) (registry.Point, bool) {
	for i, p := range points {
		at := int64(i + 1)
		if p.Step != nil {
			at = *p.Step
		}
		if at >= step {
			return p, true
		}
	}
	return registry.Point{}, false
}

// later reports whether p was measured after own; at the same moment the trial with the greater number is later.
func later(p registry.Point, of trial, own registry.Point, t trial) bool {
	if p.At.Equal(own.At) {
		return of.run.Trial > t.run.Trial
	}
	return p.At.After(own.At)
}

// share is one of n in words.
func share(n int) string {
	if words := []string{2: "half", 3: "third", 4: "quarter", 5: "fifth", 10: "tenth"}; n < len(words) && words[n] != "" {
		return words[n]
	}
	return fmt.Sprintf("1/%d", n)
}
