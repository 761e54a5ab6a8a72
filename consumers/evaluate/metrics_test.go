package evaluate

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestMetricsOfKnownValues(t *testing.T) {
	// scikit-learn: roc_auc 0.75, log_loss 0.4722879, brier 0.158125, accuracy 0.75
	scores, labels := []float64{0.1, 0.4, 0.35, 0.8}, []bool{false, false, true, true}
	m := Metrics(scores, labels)
	for name, want := range map[string]float64{AUC: 0.75, LogLoss: 0.4722879, Brier: 0.158125, Accuracy: 0.75} {
		if math.Abs(m[name]-want) > 1e-6 {
			t.Errorf("%s %v, want %v", name, m[name], want)
		}
	}
}

func TestAreaAgreesWithItsDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		n := 2 + r.IntN(60)
		scores, labels := make([]float64, n), make([]bool, n)
		for i := range scores {
			scores[i], labels[i] = float64(r.IntN(8)), r.IntN(2) == 1 // many ties
		}
		var wins, pairs float64
		for i := range scores {
			for j := range scores {
				if !labels[i] || labels[j] {
					continue
				}
				pairs++
				switch {
				case scores[i] > scores[j]:
					wins++
				case scores[i] == scores[j]:
					wins += 0.5
				}
			}
		}
		got, ok := Area(scores, labels)
		if ok != (pairs > 0) || ok && math.Abs(got-wins/pairs) > 1e-12 {
			t.Fatalf("%v %v: %v %v, want %v", scores, labels, got, ok, wins/pairs)
		}
	}
}

func TestMetricsOfDegenerateHoldouts(t *testing.T) {
	if m := Metrics(nil, nil); len(m) != 0 {
		t.Errorf("no rows: %v", m)
	}
	m := Metrics([]float64{1, 0}, []bool{true, true})
	if _, ok := m[AUC]; ok {
		t.Error("one class has an AUC")
	}
	if v := m[LogLoss]; math.IsInf(v, 0) || v < 5 {
		t.Errorf("log loss of a certain mistake: %v", v)
	}
	if v, ok := Area([]float64{math.NaN(), 1}, []bool{false, true}); !ok || v != 1 {
		t.Errorf("a missing score ranks %v, want last", v)
	}
}
