package evaluate

import (
	"math"
	"strings"
	"testing"
)

const (
	goodRows   = "{\"a\":1,\"c\":\"x\"}\n{\"a\":null,\"c\":\"y\"}\n{\"a\":3,\"c\":\"x\"}\n"
	goodLabels = "row\tlabel\n0\t0\n1\t0\n2\t1\n"
	goodScores = "row\tscore\n2\t0.9\n0\t0.1\n1\t0.25\n"
)

func TestParseHoldout(t *testing.T) {
	h, err := parseHoldout([]byte(goodRows), []byte(goodLabels), []byte(goodScores))
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Rows) != 3 || h.Labels[0] || !h.Labels[2] || h.Scores[1] != 0.25 || h.Scores[2] != 0.9 || h.Digest.IsZero() {
		t.Errorf("holdout = %+v", h)
	}
	for name, c := range map[string][3]string{
		"no rows":         {"", "row\tlabel\n", "row\tscore\n"},
		"empty line":      {"{}\n\n{}\n", goodLabels, goodScores},
		"no object":       {"{}\n[]\n{}\n", goodLabels, goodScores},
		"other header":    {goodRows, strings.Replace(goodLabels, "label", "score", 1), goodScores},
		"row missing":     {goodRows, "row\tlabel\n0\t0\n1\t0\n", goodScores},
		"row twice":       {goodRows, goodLabels, "row\tscore\n0\t1\n1\t1\n1\t1\n"},
		"row too far":     {goodRows, goodLabels, goodScores + "3\t0.5\n"},
		"negative row":    {goodRows, goodLabels, strings.Replace(goodScores, "0\t0.1", "-1\t0.1", 1)},
		"label 2":         {goodRows, strings.Replace(goodLabels, "2\t1", "2\t2", 1), goodScores},
		"NaN":             {goodRows, goodLabels, strings.Replace(goodScores, "0.9", "nan", 1)},
		"space for a tab": {goodRows, goodLabels, strings.Replace(goodScores, "2\t0.9", "2 0.9", 1)},
	} {
		if h, err := parseHoldout([]byte(c[0]), []byte(c[1]), []byte(c[2])); err == nil {
			t.Errorf("%s is taken as %+v", name, h)
		}
	}
}

func TestBaselineAndSlices(t *testing.T) {
	h, err := parseHoldout([]byte(goodRows), []byte(goodLabels), []byte(goodScores))
	if err != nil {
		t.Fatal(err)
	}
	base, err := baseline(h, "a")
	if err != nil || base[0] != 1 || !math.IsInf(base[1], -1) || base[2] != 3 {
		t.Errorf("baseline = %v, %v", base, err)
	}
	if base, err := baseline(h, "nowhere"); base != nil || err != nil {
		t.Errorf("a column that no row has: %v, %v", base, err)
	}
	if _, err := baseline(h, "c"); err == nil {
		t.Error("text ranks")
	}
	got, err := sliceBy(h, []string{"c", "a"}, map[string][]float64{Candidate: h.Scores, Baseline: base})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range got {
		names = append(names, s.Column+"="+s.Value)
	}
	if want := "c=x c=y a=(none) a=1 a=3"; strings.Join(names, " ") != want {
		t.Errorf("slices = %q, want %s", names, want)
	}
	x := got[0]
	if x.Rows != 2 || x.Metrics[Candidate][AUC] != 1 || x.Metrics[Baseline][AUC] != 1 || len(x.Metrics[Baseline]) != 1 {
		t.Errorf("slice = %+v", x)
	}
	if _, ok := got[1].Metrics[Candidate][AUC]; ok {
		t.Error("a slice of one label has an auc")
	}
}

func FuzzParseHoldout(f *testing.F) {
	f.Add([]byte(goodRows), []byte(goodLabels), []byte(goodScores))
	f.Add([]byte("{}"), []byte("row\tlabel\r\n0\t1\r\n"), []byte("row\tscore\n0\t1e3"))
	f.Fuzz(func(t *testing.T, rows, labels, scores []byte) {
		h, err := parseHoldout(rows, labels, scores)
		if err != nil {
			return
		}
		if len(h.Labels) != len(h.Rows) || len(h.Scores) != len(h.Rows) || len(h.Rows) == 0 {
			t.Fatalf("%d rows, %d labels, %d scores", len(h.Rows), len(h.Labels), len(h.Scores))
		}
	})
}
