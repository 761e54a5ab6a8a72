package trees

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/signalbox-ml/signalbox/services/inference/runtime"
)

// maxClasses bounds the width of a model's output.
const maxClasses = 1000

// lightgbmObjective returns what LightGBM does to the sums, as its model file names it ("binary sigmoid:1").
func lightgbmObjective(text string, classes int) (func(out []float64), error) {
	words := strings.Fields(text)
	if len(words) == 0 || words[0] == "custom" {
		return keep, nil // a function of the user's own: the library answers the sums
	}
	args := map[string]string{}
	for _, w := range words[1:] {
		k, v, _ := strings.Cut(w, ":")
		args[k] = v
	}
	refused := fmt.Errorf("objective %q with %d classes: %w", clip(text), classes, runtime.ErrUnsupported)
	multi := words[0] == "multiclass" || words[0] == "multiclassova"
	if multi != (classes > 1) || args["sqrt"] != "" {
		return nil, refused
	}
	if _, sqrt := args["sqrt"]; sqrt {
		return nil, refused
	}
	switch words[0] {
	case "binary", "multiclassova":
		slope, err := strconv.ParseFloat(args["sigmoid"], 64)
		if err != nil {
			return nil, refused
		}
		return sigmoid(slope), nil
	case "cross_entropy":
		return sigmoid(1), nil
	case "multiclass":
		return softmax, nil
	case "regression", "regression_l1", "huber", "fair", "quantile", "mape", "lambdarank", "rank_xendcg":
		return keep, nil
	case "poisson", "gamma", "tweedie":
		return exponent, nil
	}
	return nil, refused
}

// xgboostObjective returns what XGBoost does to the sums, in float32 as it does, and what to a stored base score.
func xgboostObjective(name string) (finish func(out []float64), base func(float32) float32, err error) {
	same := func(v float32) float32 { return v }
	switch name {
	case "binary:logistic", "reg:logistic":
		return sigmoid32, logit32, nil
	case "reg:squarederror", "reg:absoluteerror", "reg:pseudohubererror", "reg:quantileerror", "rank:pairwise", "rank:ndcg":
		return keep, same, nil
	case "multi:softprob":
		return softmax32, same, nil
	}
	return nil, nil, fmt.Errorf("objective %q: %w", clip(name), runtime.ErrUnsupported)
}

func keep([]float64) {}

func exponent(out []float64) {
	for i, v := range out {
		out[i] = exp(v)
	}
}

func sigmoid(slope float64) func([]float64) {
	return func(out []float64) {
		for i, v := range out {
			out[i] = 1 / (1 + exp(-slope*v))
		}
	}
}

func softmax(out []float64) {
	top, sum := out[0], 0.0
	for _, v := range out[1:] {
		top = max(top, v)
	}
	for i, v := range out {
		out[i] = exp(v - top)
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
}

// averaged divides the sums of a random forest by its number of trees first.
func averaged(trees int, then func([]float64)) func([]float64) {
	return func(out []float64) {
		for i := range out {
			out[i] /= float64(trees)
		}
		then(out)
	}
}

func sigmoid32(out []float64) {
	for i, v := range out {
		e := exp32(min(-float32(v), 88.7))
		out[i] = float64(1 / (e + 1 + 1e-16))
	}
}

func softmax32(out []float64) {
	top, sum := float32(out[0]), 0.0
	for _, v := range out[1:] {
		top = max(top, float32(v))
	}
	for i, v := range out {
		e := exp32(float32(v) - top)
		out[i] = float64(e)
		sum += float64(e)
	}
	for i, v := range out {
		out[i] = float64(float32(v) / float32(sum))
	}
}

func logit32(p float32) float32 { return -float32(math.Log(float64(1/p - 1))) }
