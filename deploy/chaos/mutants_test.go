package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMutantsAreThere wants a file for each mutant, and one without it beside: a tag that no file has builds the normal
// program, which would look like a mutant that gets away.
func TestMutantsAreThere(t *testing.T) {
	with, without := map[string]bool{}, map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		text, err := os.ReadFile(path)
		first, _, _ := bytes.Cut(text, []byte("\n"))
		for _, word := range strings.Fields(string(first)) {
			if tag, ok := strings.CutPrefix(word, "!mutant_"); ok {
				without[tag] = true
			} else if tag, ok := strings.CutPrefix(word, "mutant_"); ok {
				with[tag] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	aimed := map[fault]bool{}
	for _, m := range mutants() {
		if m.name != control && (!with[m.name] || !without[m.name]) {
			t.Errorf("%s: no file has its tag, or none is without it", m.name)
		}
		delete(with, m.name)
		for _, f := range m.aims {
			aimed[f] = true
		}
		if len(m.aims) == 0 {
			t.Errorf("%s: nothing is aimed at it", m.name)
		}
	}
	if len(with) > 0 {
		t.Errorf("%v are not hunted", with)
	}
	for _, k := range processKinds() {
		delete(aimed, k.fault)
	}
	if len(aimed) > 0 {
		t.Errorf("%v are no faults of processes", aimed)
	}
}

func TestRowOfAMutant(t *testing.T) {
	broken := *reportOf(t)
	broken.found.add(breachLost, "offset 7")
	void := *reportOf(t)
	void.acked = 0
	for _, tc := range []struct {
		name string
		rep  report
		want bool
	}{
		{"m1", broken, true}, {"m1", *reportOf(t), false}, {"m1", void, false},
		{control, broken, false}, {control, *reportOf(t), true}, {control, void, false},
	} {
		var out strings.Builder
		if got := (mutant{name: tc.name}).row(&out, 3, tc.rep); got != tc.want {
			t.Errorf("%s with verdict %d: %v in %q", tc.name, tc.rep.verdict(), got, out.String())
		}
	}
}
