package evaluate

import (
	"cmp"
	"math"
	"slices"

	"github.com/signalbox-ml/signalbox/registry/spec"
)

// Metrics of an evaluation.
const (
	AUC      = spec.MetricAUC
	LogLoss  = spec.MetricLogLoss
	Brier    = spec.MetricBrier
	Accuracy = spec.MetricAccuracy // at 0.5
)

// clip keeps a certain mistake from an infinite loss.
const clip = 1e-15

// Metrics compares scores with labels, row by row. A metric that is not defined is left out: auc where all labels are the
// same, log_loss and brier where a score is no probability, every one where there are no rows or a score is NaN.
func Metrics(scores []float64, labels []bool) map[string]float64 {
	out := map[string]float64{}
	if len(scores) == 0 || slices.ContainsFunc(scores, math.IsNaN) {
		return out
	}
	if v, ok := Area(scores, labels); ok {
		out[AUC] = v
	}
	var loss, square, right float64
	probabilities := true
	for i, s := range scores {
		y := 0.0
		if labels[i] {
			y = 1
		}
		if (s >= 0.5) == labels[i] {
			right++
		}
		probabilities = probabilities && s >= 0 && s <= 1
		square += (y - s) * (y - s)
		p := min(max(s, clip), 1-clip)
		loss -= y*math.Log(p) + (1-y)*math.Log1p(-p)
	}
	n := float64(len(scores))
	out[Accuracy] = right / n
	if probabilities {
		out[LogLoss], out[Brier] = loss/n, square/n
	}
	return out
}

// Area is the area under the ROC curve: the probability that a random true row scores above a random false one, ties
// counting half. NaN scores below every number. It is not defined, false, where all labels are the same.
func Area(scores []float64, labels []bool) (float64, bool) {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(scores[a], scores[b]) })
	var positives, negatives, above float64 // above: pairs in the right order, ties counting half
	for i := 0; i < len(order); {
		var p, n float64 // of one score
		j := i
		for ; j < len(order) && cmp.Compare(scores[order[j]], scores[order[i]]) == 0; j++ {
			if labels[order[j]] {
				p++
			} else {
				n++
			}
		}
		above += p * (negatives + n/2)
		positives, negatives, i = positives+p, negatives+n, j
	}
	if positives == 0 || negatives == 0 {
		return 0, false
	}
	return above / (positives * negatives), true
}
