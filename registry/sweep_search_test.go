package registry_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

func TestParseSearchFillsIn(t *testing.T) {
	s := must(registry.ParseSearch([]byte(`{"metric":"loss","goal":"minimize","trials":2,"parameters":{"x":{"type":"number","min":0,"max":1}}}`)))(t)
	if s.Algorithm != "random" || s.Parallel != 1 || s.Parameters["x"].Scale != "linear" || s.ASHA != nil || !s.Better(0.1, 0.2) {
		t.Errorf("search %+v", s)
	}
	s = must(registry.ParseSearch([]byte(`{"metric":"auc","goal":"maximize","algorithm":"asha","asha":{"min_step":1,"max_step":81},"trials":2,
		"parameters":{"x":{"type":"choice","values":[null,{"a":1}]}}}`)))(t)
	if got := s.ASHA.Rungs(); !slices.Equal(got, []int64{1, 3, 9, 27}) || s.Better(0.1, 0.2) || s.Parameters["x"].Scale != "" {
		t.Errorf("rungs %v of %+v", got, s)
	}
	again := must(registry.ParseSearch(must(json.Marshal(s))(t)))(t)
	if a, b := must(json.Marshal(s))(t), must(json.Marshal(again))(t); string(a) != string(b) {
		t.Errorf("%s is read as %s", a, b)
	}
}

// Every fault is told at once, each once and with its pointer.
func TestParseSearchListsEveryFault(t *testing.T) {
	for _, tc := range []struct{ search, want string }{
		{`{}`, "/metric /goal /trials /parameters"},
		{`{"metric":"a b","goal":"max","algorithm":"grid","seed":-1,"trials":501,"parallel":101,"max_seconds":-1,"parameters":{}}`,
			"/metric /goal /algorithm /seed /trials /parallel /max_seconds /parameters"},
		{`{"metric":7,"goal":"max","trials":"many","parameters":{"x":{"type":"integer","min":"a","max":1.5},"y":{}},"more":1}`,
			"/metric /more /parameters/x/min /trials /goal /parameters/x/max /parameters/y/type"},
		{`{"metric":"m","goal":"minimize","trials":1,"parameters":{"a/b":{"type":"number","min":2,"max":1},"c":{"type":"integer","min":0,"max":9,"scale":"log"},
			"d":{"type":"choice","values":[1,1.0],"min":1},"e":{"type":"choice"},"f":{"type":"number","values":[1],"scale":"exp"},"":{"type":"number","min":0,"max":1}}}`,
			"/parameters/ /parameters/a~1b/max /parameters/c/min /parameters/d/min /parameters/d/values/1 /parameters/e/values /parameters/f/values /parameters/f/scale /parameters/f/min /parameters/f/max"},
		{`{"metric":"m","goal":"minimize","algorithm":"asha","trials":1,"parameters":{"a":{"type":"number","min":0,"max":1}}}`, "/asha"},
		{`{"metric":"m","goal":"minimize","trials":1,"asha":{},"parameters":{"a":{"type":"number","min":0,"max":1}}}`, "/asha"},
		{`{"metric":"m","goal":"minimize","algorithm":"asha","asha":{"min_step":0,"max_step":0,"reduction":1},"trials":1,"parameters":{"a":{"type":"number","min":0,"max":1}}}`,
			"/asha/min_step /asha/max_step /asha/reduction"},
		{`[]`, ""}, {`{"metric":`, ""}, {`{"goal":"a","goal":"b"}`, ""}, {``, ""},
	} {
		_, err := registry.ParseSearch([]byte(tc.search))
		var got []string
		for _, f := range manifest.Faults(err) {
			got = append(got, f.Path)
		}
		want := strings.Split(tc.want, " ")
		if len(got) == 0 || tc.want != "" && !equalSets(got, want) {
			t.Errorf("%s: faults at %q, want %q: %v", tc.search, got, want, err)
		}
	}
}

func equalSets(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func draw(t *testing.T, parameter string, n int) []string {
	t.Helper()
	s := must(registry.ParseSearch(fmt.Appendf(nil, `{"metric":"m","goal":"minimize","seed":7,"trials":9,"parameters":{"p":%s}}`, parameter)))(t)
	var out []string
	for i := range n {
		out = append(out, string(s.Draw(i + 1)["p"]))
	}
	return out
}

// The draws can never change: sweeps that are under way go on with them.
func TestDrawIsForEver(t *testing.T) {
	s := must(registry.ParseSearch([]byte(searchJSON)))(t)
	s.Parameters["rate"] = registry.Parameter{Type: "number", Min: new(0.01), Max: new(0.3), Scale: "log"}
	for n, want := range map[int]string{
		1: `{"boosting":"gbdt","num_leaves":69,"rate":0.0529309212}`,
		2: `{"boosting":"gbdt","num_leaves":23,"rate":0.0189492395}`,
	} {
		if got := string(must(json.Marshal(s.Draw(n)))(t)); got != want {
			t.Errorf("trial %d: %s, want %s", n, got, want)
		}
	}
	with := s.Draw(1)
	delete(s.Parameters, "boosting")
	if without := s.Draw(1); string(with["rate"]) != string(without["rate"]) {
		t.Error("a parameter depends on another one")
	}
}

func TestDrawIsEven(t *testing.T) {
	counts := map[string]int{}
	for _, v := range draw(t, `{"type":"integer","min":-2,"max":2}`, 5000) {
		counts[v]++
	}
	for _, v := range draw(t, `{"type":"choice","values":["a","b",null,[1],0.5]}`, 5000) {
		counts[v]++
	}
	if len(counts) != 10 {
		t.Errorf("drawn %v", counts)
	}
	for v, n := range counts {
		if n < 850 || n > 1150 {
			t.Errorf("%s was drawn %d times of 5000, want about 1000", v, n)
		}
	}
	below := 0
	for _, text := range draw(t, `{"type":"number","min":0.001,"max":10,"scale":"log"}`, 5000) {
		v := must(strconv.ParseFloat(text, 64))(t)
		if v < 0.001 || v > 10 {
			t.Fatalf("%s is outside", text)
		}
		if v < 0.1 { // half of the orders of magnitude
			below++
		}
	}
	if math.Abs(float64(below)-2500) > 150 {
		t.Errorf("%d of 5000 are below the middle of a log scale", below)
	}
	octaves := map[int]int{}
	for _, text := range draw(t, `{"type":"integer","min":1,"max":255,"scale":"log"}`, 5000) {
		octaves[int(math.Log2(float64(must(strconv.Atoi(text))(t))))]++
	}
	for o := range 8 {
		if octaves[o] < 500 || octaves[o] > 750 {
			t.Errorf("integers of a log scale by octave: %v", octaves)
		}
	}
}

// Whatever is let pass can be drawn, within its bounds.
func FuzzParseSearch(f *testing.F) {
	f.Add([]byte(searchJSON))
	f.Add([]byte(`{"metric":"m","goal":"minimize","trials":1,"parameters":{"a":{"type":"number","min":-1e300,"max":1e300},"b":{"type":"number","min":5e-324,"max":1,"scale":"log"}}}`))
	f.Add([]byte(`{"metric":"m","goal":"minimize","trials":1,"parameters":{"a":{"type":"number","min":0,"max":1e18}}}`))
	f.Add([]byte(`{"metric":"m","goal":"maximize","algorithm":"asha","asha":{"min_step":1,"max_step":1099511627776,"reduction":2},"trials":1,"parameters":{"a":{"type":"integer","min":-9007199254740992,"max":9007199254740992}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := registry.ParseSearch(b)
		if err != nil {
			if len(manifest.Faults(err)) == 0 {
				t.Errorf("%q: no fault in %v", b, err)
			}
			return
		}
		for n := 1; n <= 3; n++ {
			for name, v := range s.Draw(n) {
				p := s.Parameters[name]
				if p.Type == "choice" {
					continue
				}
				x, err := strconv.ParseFloat(string(v), 64)
				if err != nil || x < *p.Min || x > *p.Max {
					t.Errorf("%s of %+v is %s, %v", name, p, v, err)
				}
				if _, err := manifest.Canonical(v); err != nil {
					t.Errorf("no request can have %s of %+v: %v", v, p, err)
				}
			}
		}
		if s.ASHA != nil && len(s.ASHA.Rungs()) > 41 {
			t.Errorf("%d rungs", len(s.ASHA.Rungs()))
		}
	})
}
