package main

import (
	"math"
	"strings"
	"testing"
	"time"
)

const jobLog = `2026-11-23T12:00:01.000Z INFO    run 94265d1c attempt 1 of model flight-delay
2026-11-23T12:00:01.500Z INFO    step fetch
2026-11-23T12:00:01.600Z INFO    step fetch took 0.100 s rows=20677
2026-11-23T12:00:01.700Z INFO    step preprocess
2026-11-23T12:00:01.750Z INFO    step preprocess took 0.050 s
2026-11-23T12:00:02.000Z INFO    step train
[LightGBM] [Info] step train is what the workflow prints itself
2026-11-23T12:00:04.000Z INFO    step train took 1.990 s
2026-11-23T12:00:04.000Z INFO    step serialize
2026-11-23T12:00:04.200Z INFO    step score
2026-11-23T12:00:04.300Z INFO    step publish
2026-11-23T12:00:04.400Z INFO    step publish took 0.100 s
`

func at(t *testing.T, clock string) time.Time {
	t.Helper()
	out, err := time.Parse(time.RFC3339, "2026-11-23T"+clock+"Z")
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTimelineCutsARunWithoutGaps(t *testing.T) {
	got, err := assemble(at(t, "12:00:00"), at(t, "12:00:00.2"), at(t, "12:00:05"), parseStamps([]byte(jobLog)))
	if err != nil {
		t.Fatal(err)
	}
	want := []part{
		{"requested to process start", 0.2}, {"interpreter and imports", 0.8}, {"claim, workflow's imports", 0.5}, {"fetch", 0.2},
		{"preprocess", 0.3}, {"train", 2}, {"serialize and golden check", 0.2}, {"score", 0.1}, {"publish", 0.1}, {"records and completing", 0.6},
	}
	sum := 0.0
	for i, p := range got.parts {
		if p.name != want[i].name || math.Abs(p.seconds-want[i].seconds) > 1e-9 {
			t.Errorf("part %d is %v, want %v", i, p, want[i])
		}
		sum += p.seconds
	}
	if math.Abs(sum-got.whole) > 1e-9 || got.whole != 5 || got.trained != 2 {
		t.Errorf("parts sum to %v of %v, of which %v trained", sum, got.whole, got.trained)
	}
}

func TestTimelineSaysWhatALogLacks(t *testing.T) {
	cut := jobLog[:strings.Index(jobLog, "2026-11-23T12:00:04.300Z")]
	_, err := assemble(at(t, "12:00:00"), at(t, "12:00:00"), at(t, "12:00:05"), parseStamps([]byte(cut)))
	if err == nil || !strings.Contains(err.Error(), "step publish") {
		t.Errorf("a log without its end: %v", err)
	}
}
