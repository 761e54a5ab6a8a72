package figures

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestReport(t *testing.T) {
	r := NewReport("Training", "make bench-training", time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC))
	r.Load("T1")
	r.Add(Row{Goal: "T1", What: "p99", Numerator: "40 ms", Denominator: "10 ms", Ratio: 4, Limit: "<= 5", Met: true},
		Row{Goal: "T2", What: "share", Numerator: "4 s", Denominator: "5 s", Ratio: 0.8, Limit: "<= 0.10"}, Row{Goal: "T1", What: "a part", Numerator: "1 ms"})
	r.Note("measured %d times", 5)
	dir := filepath.Join(t.TempDir(), "results")
	if err := r.Publish(dir, "training"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "training-2026-11-23.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# Training, 2026-11-23", "`make bench-training`", "before each: T1 ", "| T1 | p99 | 40 ms | 10 ms | 4.00 | <= 5: met |", "| 0.80 | <= 0.10: missed |",
		"| T1 | a part | 1 ms |  |  |  |", "\nmeasured 5 times\n",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}
