package generate

import (
	"fmt"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/registry/spec"
)

// clock is a time of the day on which the tests play; "" is the zero time.
func clock(hhmm string) time.Time {
	var h, m int
	if n, _ := fmt.Sscanf(hhmm, "%d:%d", &h, &m); n < 2 {
		return time.Time{}
	}
	return time.Date(2026, 3, 1, h, m, 0, 0, time.UTC)
}

func TestWatermark(t *testing.T) {
	type p = [3]string // through, flushed, event
	cases := map[string]struct {
		partitions []p
		want       string
		complete   string
	}{
		"no partition":        {nil, "", ""},
		"claimed, not heard":  {[]p{{"", "", ""}}, "", ""},
		"one":                 {[]p{{"12:00", "12:00", "08:00"}}, "08:00", "12:00"},
		"fast one runs ahead": {[]p{{"12:00", "12:00", "08:00"}, {"12:05", "12:05", "20:00"}}, "08:00", "12:00"},
		"all idle: the furthest": {
			[]p{{"13:00", "12:00", "08:00"}, {"13:00", "12:05", "20:00"}}, "20:00", "13:00"},
		"one idle with old events does not hold back": {
			[]p{{"12:10", "03:00", "02:00"}, {"12:05", "12:05", "11:55"}}, "11:55", "12:05"},
		"one without events does not hold back": {
			[]p{{"12:10", "", ""}, {"12:05", "12:05", "11:55"}}, "11:55", "12:05"},
		"one that nobody archives holds back": {
			[]p{{"09:00", "09:00", "08:50"}, {"12:05", "12:05", "11:55"}}, "08:50", "09:00"},
		"one that was never heard holds back": {
			[]p{{"", "", ""}, {"12:05", "12:05", "11:55"}}, "", ""},
		"idle so far, but not as long as the other goes on": {
			[]p{{"12:00", "03:00", "02:00"}, {"12:05", "12:05", "20:00"}}, "02:00", "12:00"},
		"the furthest of those that count": {
			[]p{{"12:00", "11:00", "07:00"}, {"12:05", "11:30", "09:00"}, {"12:06", "12:06", "20:00"}}, "09:00", "12:00"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var partitions []position
			for _, x := range c.partitions {
				partitions = append(partitions, position{through: clock(x[0]), flushed: clock(x[1]), event: clock(x[2])})
			}
			if got := watermark(partitions); !got.Equal(clock(c.want)) {
				t.Errorf("watermark = %v, want %s", got, c.want)
			}
			if got := complete(partitions); !got.Equal(clock(c.complete)) {
				t.Errorf("complete = %v, want %s", got, c.complete)
			}
		})
	}
}

func TestDue(t *testing.T) {
	d := spec.Dataset{
		Window: spec.Window{Start: clock("06:00"), Every: spec.Duration(time.Hour), Lateness: spec.Duration(5 * time.Minute)},
		Label:  &spec.Join{Maturity: spec.Duration(30 * time.Minute)},
	}
	for mark, want := range map[string]int64{"": 0, "05:00": 0, "06:00": 0, "07:34": 0, "07:35": 1, "08:34": 1, "08:35": 2, "23:35": 17} {
		if got := due(d, clock(mark)); got != want {
			t.Errorf("due at %q = %d, want %d", mark, got, want)
		}
	}
}

func TestWindows(t *testing.T) {
	d := spec.Dataset{Window: spec.Window{Start: clock("06:00"), Every: spec.Duration(time.Hour)}}
	if w := window(d, 3); !w.Start.Equal(clock("06:00")) || !w.End.Equal(clock("09:00")) {
		t.Errorf("growing window 3 = %v", w)
	}
	d.Window.Length = spec.Duration(2 * time.Hour)
	if w := window(d, 1); !w.Start.Equal(clock("06:00")) || !w.End.Equal(clock("07:00")) {
		t.Errorf("rolling window 1 = %v: want nothing before the start", w)
	}
	if w := window(d, 5); !w.Start.Equal(clock("09:00")) || !w.End.Equal(clock("11:00")) {
		t.Errorf("rolling window 5 = %v", w)
	}
}

func TestTopics(t *testing.T) {
	d := spec.Dataset{
		Sources: map[string]spec.Source{
			"made":   {Stream: "signalbox.predictions", Type: "dev.signalbox.prediction.made"},
			"paid":   {Stream: "shop", Type: "order.paid"},
			"unused": {Stream: "other", Type: "x"},
		},
		Spine: spec.Spine{From: "made"},
		Label: &spec.Join{From: "paid"},
	}
	got := topics(d)
	if len(got) != 2 || !got["signalbox.predictions"] || !got["events.shop"] {
		t.Errorf("topics = %v", got)
	}
}
