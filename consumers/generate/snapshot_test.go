package generate

import (
	"slices"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/generate/compile"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

func archived(key, minTime, maxTime, appended string) ledger.LedgerFile {
	return ledger.LedgerFile{
		File: ledger.File{
			Key: key, Digest: cas.Sum([]byte(key)), Bytes: 9, Rows: 1, Start: 0, End: 1,
			MinTime: clock(minTime), MaxTime: clock(maxTime), MinSeen: clock(appended), MaxSeen: clock(appended),
		},
		Partition: ledger.Partition{Topic: "events.s"},
	}
}

func TestSnapshotTakesTheFilesThatCanMatter(t *testing.T) {
	d := spec.Dataset{
		Available: spec.AvailableRecorded,
		Sources:   map[string]spec.Source{"s": {Type: "s"}, "f": {Type: "f"}, "l": {Type: "l"}},
		Spine:     spec.Spine{From: "s"},
		Features:  []spec.Join{{From: "f", MaxAge: spec.Duration(time.Hour)}},
		Label:     &spec.Join{From: "l", Maturity: spec.Duration(2 * time.Hour)},
	}
	w := compile.Window{Start: clock("10:00"), End: clock("12:00")}
	all := []ledger.LedgerFile{
		archived("early", "08:00", "08:59", "20:00"),
		archived("hour before", "08:00", "09:00", "20:00"),
		archived("at the start", "09:30", "10:00", "20:00"),
		archived("within", "11:00", "11:30", "20:00"),
		archived("at the end", "12:00", "13:00", "20:00"),
		archived("matured", "14:00", "15:00", "20:00"),
		archived("no times", "", "", "11:00"),
		archived("some without times", "08:00", "08:30", "11:00"),
	}
	got := snapshot{"s": all, "f": all, "l": all}.window(d, w)
	for source, want := range map[string][]string{
		"s": {"at the start", "within", "no times", "some without times"},
		"f": {"hour before", "at the start", "within", "no times", "some without times"},
		"l": {"at the start", "within", "at the end", "no times", "some without times"},
	} {
		var keys []string
		for _, f := range got[source] {
			keys = append(keys, f.Key)
		}
		if !slices.Equal(keys, want) {
			t.Errorf("%s reads %q\nwant %q", source, keys, want)
		}
	}

	d.Features[0].MaxAge = 0
	if n := len(snapshot{"f": all}.window(d, w)["f"]); n != 6 {
		t.Errorf("a feature without age limit reads %d files, want all but those after the window", n)
	}
	d.Available = spec.AvailableAppend
	if n := len(snapshot{"s": all}.window(d, w)["s"]); n != 2 {
		t.Errorf("on the append clock the spine reads %d files, want the 2 that were appended in time", n)
	}
}

// What identifies a build: everything that goes into it, and nothing about when or where it ran.
func TestPlanDigest(t *testing.T) {
	s := registry.Spec{Name: "d", Digest: cas.Sum([]byte("spec"))}
	w := compile.Window{Start: clock("10:00"), End: clock("12:00")}
	a, b := archived("a", "10:00", "11:00", "11:00"), archived("b", "10:00", "11:00", "11:00")
	base := func() (registry.Spec, compile.Window, snapshot) {
		return s, w, snapshot{"x": {a, b}, "y": {b}}
	}
	digest := func(s registry.Spec, w compile.Window, files snapshot) cas.Digest {
		d, err := planDigest(s, w, files.sources())
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	want := digest(base())
	same := map[string]snapshot{
		"order of files":        {"x": {b, a}, "y": {b}},
		"which source has them": {"x": {a}, "y": {b, b}},
	}
	for name, files := range same {
		if digest(s, w, files) != want {
			t.Errorf("%s changes the plan", name)
		}
	}
	if digest(s, compile.Window{Start: w.Start.In(time.FixedZone("x", 3600)), End: w.End}, snapshot{"x": {a, b}}) != want {
		t.Error("the time zone changes the plan")
	}
	other := b
	other.Digest = cas.Sum([]byte("other bytes"))
	for name, d := range map[string]cas.Digest{
		"spec":   digest(registry.Spec{Digest: cas.Sum([]byte("other"))}, w, snapshot{"x": {a, b}}),
		"window": digest(s, compile.Window{Start: w.Start, End: clock("13:00")}, snapshot{"x": {a, b}}),
		"file":   digest(s, w, snapshot{"x": {a}}),
		"bytes":  digest(s, w, snapshot{"x": {a, other}}),
	} {
		if d == want {
			t.Errorf("another %s has the same plan", name)
		}
	}
}

// A file of several partitions says which offsets it stands for, one range for each; other files are written as ever.
func TestSourcesOfMergedFiles(t *testing.T) {
	one, several := archived("a", "10:00", "11:00", "11:00"), archived("b", "10:00", "11:00", "11:00")
	one.Spans, one.Partition.Partition = []ledger.Span{{Partition: 2, Start: 0, End: 1}}, 2
	several.Start, several.End, several.Partition.Partition = 3, 30, ledger.Several
	several.Spans = []ledger.Span{{Partition: 1, Start: 3, End: 8}, {Partition: 0, Start: 20, End: 30}, {Partition: 0, Start: 5, End: 9}}
	got := snapshot{"x": {one, several}}.sources()
	if got[0].Partition != 2 || got[0].Spans != nil {
		t.Errorf("%+v", got[0])
	}
	want := []manifest.Span{{Partition: 0, Start: 5, End: 30}, {Partition: 1, Start: 3, End: 8}}
	if s := got[1]; s.Partition != manifest.Several || s.Start != 3 || s.End != 30 || !slices.Equal(s.Spans, want) {
		t.Errorf("%+v", s)
	}
}
