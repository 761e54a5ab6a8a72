package evaluate

import (
	"fmt"

	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// Decisions.
const (
	Promote = manifest.Promote
	Keep    = manifest.Keep
)

// Facts are all that a decision depends on, beside the policy.
type Facts struct {
	Rows        int64
	HasChampion bool                          // there is one, and it was scored
	Metrics     map[string]map[string]float64 // by Candidate, Champion, Baseline and metric
	Faults      []string                      // in words; each of them keeps the candidate
}

// Decide applies a policy to facts: Promote or Keep, with the reasons in words, the ones against it if there are any.
func Decide(p spec.Evaluation, f Facts) (decision string, reasons []string) {
	against := append([]string(nil), f.Faults...)
	var in []string // in favour
	judge := func(ok bool, format string, args ...any) {
		if s := fmt.Sprintf(format, args...); ok {
			in = append(in, s)
		} else {
			against = append(against, s)
		}
	}
	if f.Rows < p.MinRows {
		judge(false, "the holdout has %d rows, at least %d are asked for", f.Rows, p.MinRows)
	}
	mine, ok := f.Metrics[Candidate][p.Metric]
	if !ok {
		judge(false, "the candidate has no %s on this holdout", p.Metric)
		return Keep, against
	}
	theirs, scored := f.Metrics[Champion][p.Metric]
	switch {
	case !f.HasChampion:
		judge(true, "%s %.5f, and the tag does not point at a champion to compare with", p.Metric, mine)
	case !scored:
		judge(true, "%s %.5f, and the champion has no %s on this holdout", p.Metric, mine, p.Metric)
	default:
		gain := mine - theirs
		if p.Metric != AUC {
			gain = -gain // lower is better
		}
		judge(gain >= p.MinGain, "%s %.5f against %.5f of the champion: a gain of %+.5f, at least %+g is asked for",
			p.Metric, mine, theirs, gain, p.MinGain)
	}
	if p.Baseline != "" {
		// A column only ranks, so it is met on auc, whatever the policy's metric is.
		auc, ok1 := f.Metrics[Candidate][AUC]
		base, ok2 := f.Metrics[Baseline][AUC]
		if ok1 && ok2 {
			judge(auc > base, "auc %.5f against %.5f of the baseline %s", auc, base, p.Baseline)
		} else {
			judge(false, "the baseline %s cannot be compared with on this holdout", p.Baseline)
		}
	}
	if len(against) > 0 {
		return Keep, against
	}
	return Promote, in
}
