package compile

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/registry/spec"
)

var update = flag.Bool("update", false, "write the golden files")

func january() Window {
	return Window{Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)}
}

// The text is part of what a dataset's identity stands for: if it changes, Version must.
func TestGolden(t *testing.T) {
	in := Inputs{"placed": {"/in/1.parquet", "/in/it's 2.parquet"}, "again": {"/in/1.parquet"}}
	p, err := Compile(orders(), in, january())
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("-- " + p.Version + "\n")
	for _, s := range p.Statements {
		b.WriteString("\n" + s + ";\n")
	}
	for _, c := range p.Checks {
		b.WriteString("\n-- check " + c.Name + "\n" + c.SQL + ";\n")
	}
	golden := filepath.Join("testdata", "orders.sql")
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("the SQL is not that of %s: raise Version, then run with -update\n%s", golden, b.String())
	}
}

func TestPlan(t *testing.T) {
	in := Inputs{"placed": {"/in/2", "/in/1"}, "again": {"/in/2"}, "unused": {"/in/3"}}
	p, err := Compile(orders(), in, january())
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"/in/1", "/in/2"}; !slices.Equal(p.Inputs, want) {
		t.Errorf("inputs = %q, want %q: each once, none of a source that is not used", p.Inputs, want)
	}
	var names []string
	for _, c := range p.Columns {
		name := c.Name
		if c.Optional {
			name += "?"
		}
		names = append(names, name)
	}
	if got, want := strings.Join(names, " "), "event_time event_id amount customer gift number last_age? last_amount? by_card"; got != want {
		t.Errorf("columns = %s\nwant      %s", got, want)
	}
	for range 20 { // maps are in another order each time
		again, err := Compile(orders(), in, january())
		if err != nil || !slices.Equal(again.Statements, p.Statements) {
			t.Fatalf("compiled again: another text (%v)", err)
		}
	}
	if _, err := Compile(orders(), in, Window{Start: january().End, End: january().Start}); err == nil {
		t.Error("an empty window compiles")
	}
}

func TestReach(t *testing.T) {
	at := func(day, hour int) time.Time { return time.Date(2026, 1, day, hour, 0, 0, 0, time.UTC) }
	d, w := orders(), Window{Start: at(10, 0), End: at(20, 0)}
	got := Reach(d, w)
	want := map[string]Range{"placed": {at(10, 0), at(20, 0)}, "again": {at(8, 0), at(20, 0)}, "paid": {at(10, 0), at(20, 12)}}
	if len(got) != len(want) {
		t.Errorf("reach = %v", got)
	}
	for source, r := range want {
		if got[source] != r {
			t.Errorf("reach of %s = %v, want %v", source, got[source], r)
		}
	}
	if h := Horizon(d, w); !h.Equal(at(20, 12)) {
		t.Errorf("horizon = %s", h)
	}
	d.Features = append(d.Features, spec.Join{From: "placed"}, spec.Join{From: "paid", MaxAge: spec.Duration(time.Hour)})
	got = Reach(d, w)
	if r := got["placed"]; !r.From.IsZero() || !r.To.Equal(at(20, 0)) {
		t.Errorf("with a feature without age limit: %v, want everything before the end", r)
	}
	if r := got["paid"]; !r.From.Equal(at(9, 23)) || !r.To.Equal(at(20, 12)) {
		t.Errorf("as feature and label: %v, want both", r)
	}
	r := want["placed"]
	for name, c := range map[string]struct {
		from, to time.Time
		want     bool
	}{
		"before": {at(8, 0), at(9, 23), false}, "up to the start": {at(8, 0), at(10, 0), true}, "around": {at(1, 0), at(30, 0), true},
		"inside": {at(12, 0), at(13, 0), true}, "at the end": {at(20, 0), at(21, 0), false},
	} {
		if got := r.Overlaps(c.from, c.to); got != c.want {
			t.Errorf("%s: overlaps = %v", name, got)
		}
	}
}
