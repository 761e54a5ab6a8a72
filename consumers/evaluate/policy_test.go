package evaluate

import (
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/registry/spec"
)

func TestDecide(t *testing.T) {
	auc := func(v float64) map[string]float64 { return map[string]float64{AUC: v, LogLoss: 1 - v} }
	policy := spec.Evaluation{Tag: "production", Metric: AUC, MinRows: 100}
	gain, base, loss := policy, policy, policy
	gain.MinGain, base.Baseline, loss.Metric = 0.01, "delay", LogLoss
	for name, c := range map[string]struct {
		policy spec.Evaluation
		facts  Facts
		want   string
		says   string
	}{
		"first":                {policy, Facts{Rows: 100, Metrics: map[string]map[string]float64{Candidate: auc(.6)}}, Promote, "does not point"},
		"better":               {policy, Facts{Rows: 100, HasChampion: true, Metrics: map[string]map[string]float64{Candidate: auc(.8), Champion: auc(.7)}}, Promote, "+0.10000"},
		"equal is enough":      {policy, Facts{Rows: 100, HasChampion: true, Metrics: map[string]map[string]float64{Candidate: auc(.7), Champion: auc(.7)}}, Promote, ""},
		"worse":                {policy, Facts{Rows: 100, HasChampion: true, Metrics: map[string]map[string]float64{Candidate: auc(.6), Champion: auc(.7)}}, Keep, "-0.10000"},
		"too little gain":      {gain, Facts{Rows: 100, HasChampion: true, Metrics: map[string]map[string]float64{Candidate: auc(.705), Champion: auc(.7)}}, Keep, "at least +0.01"},
		"too few rows":         {policy, Facts{Rows: 99, Metrics: map[string]map[string]float64{Candidate: auc(.9)}}, Keep, "99 rows"},
		"no metric":            {policy, Facts{Rows: 100, Metrics: map[string]map[string]float64{Candidate: {}}}, Keep, "no auc"},
		"fault":                {policy, Facts{Rows: 100, Metrics: map[string]map[string]float64{Candidate: auc(.9)}, Faults: []string{"differs"}}, Keep, "differs"},
		"beats the baseline":   {base, Facts{Rows: 100, Metrics: map[string]map[string]float64{Candidate: auc(.9), Baseline: auc(.8)}}, Promote, "baseline"},
		"no baseline column":   {base, Facts{Rows: 100, Metrics: map[string]map[string]float64{Candidate: auc(.9)}}, Keep, "cannot be compared"},
		"no better than it":    {base, Facts{Rows: 100, Metrics: map[string]map[string]float64{Candidate: auc(.8), Baseline: auc(.8)}}, Keep, "baseline"},
		"lower loss is better": {loss, Facts{Rows: 100, HasChampion: true, Metrics: map[string]map[string]float64{Candidate: auc(.8), Champion: auc(.7)}}, Promote, "log_loss"},
		"broken champion":      {policy, Facts{Rows: 100, HasChampion: true, Metrics: map[string]map[string]float64{Candidate: auc(.8), Champion: {}}}, Promote, "champion has no auc"},
	} {
		got, reasons := Decide(c.policy, c.facts)
		if got != c.want || len(reasons) == 0 || !strings.Contains(strings.Join(reasons, "; "), c.says) {
			t.Errorf("%s: %s because %q", name, got, reasons)
		}
	}
}
