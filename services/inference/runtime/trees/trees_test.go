package trees

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/services/inference/runtime"
	"github.com/signalbox-ml/signalbox/services/inference/runtime/runtimetest"
)

func TestSuite(t *testing.T) {
	for _, name := range []string{"lgb-binary.txt", "lgb-multiclass.txt", "lgb-frame.txt", "xgb-binary.json", "xgb-multi.json"} {
		t.Run(name, func(t *testing.T) {
			runtimetest.Run(t, Runtime{}, packageOf(t, readFixture(t, "testdata/"+name), name))
		})
	}
}

// packageOf writes a fixture as a package. Its golden rows are those that JSON can say.
func packageOf(t *testing.T, fx fixture, file string) runtimetest.Package {
	t.Helper()
	m := fx.read(t)
	sig := manifest.Signature{
		Runtime: manifest.RuntimeTrees, Format: manifest.FormatLightGBM, Model: file, Golden: "golden.jsonl",
	}
	if strings.HasSuffix(file, ".json") {
		sig.Format = manifest.FormatXGBoost
	}
	for _, name := range m.names {
		sig.Inputs = append(sig.Inputs, manifest.Column{Name: name, Type: manifest.Number, Nullable: true})
	}
	for i, list := range m.categories {
		at := len(sig.Inputs) - len(m.categories) + i
		sig.Inputs[at].Type, sig.Inputs[at].Categories = manifest.String, list
	}
	for i := range m.forest.classes {
		sig.Outputs = append(sig.Outputs, manifest.Column{Name: string(rune('a' + i)), Type: manifest.Number})
	}
	dir := t.TempDir()
	for name, body := range map[string][]byte{file: fx.file, sig.Golden: golden(t, fx, sig)} {
		if err := os.WriteFile(filepath.Join(dir, name), body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return runtimetest.Package{Dir: dir, Signature: sig}
}

func golden(t *testing.T, fx fixture, sig manifest.Signature) []byte {
	t.Helper()
	var out []byte
	width, classes := len(sig.Inputs), len(sig.Outputs)
	for r := range fx.rows {
		input, output := map[string]any{}, map[string]any{}
		for i, c := range sig.Inputs {
			switch v := fx.in[r*width+i]; {
			case math.IsNaN(v) || math.IsInf(v, 0):
				input[c.Name] = nil
			case len(c.Categories) > 0:
				input[c.Name] = c.Categories[int(v)]
			default:
				input[c.Name] = v
			}
		}
		if slices.ContainsFunc(fx.in[r*width:(r+1)*width], func(v float64) bool { return math.IsInf(v, 0) }) {
			continue
		}
		for i, c := range sig.Outputs {
			output[c.Name] = fx.want[r*classes+i]
		}
		line, err := json.Marshal(map[string]any{"input": input, "output": output})
		if err != nil {
			t.Fatal(err)
		}
		out = append(append(out, line...), '\n')
	}
	return out
}

func TestRefusesWhatItCannotReproduce(t *testing.T) {
	lgb, xgb := readFixture(t, "testdata/lgb-binary.txt"), readFixture(t, "testdata/xgb-binary.json")
	for name, c := range map[string]struct {
		file     []byte
		from, to string
		want     error
	}{
		"linear trees":       {readFixture(t, "testdata/lgb-linear.txt").file, "", "", runtime.ErrUnsupported},
		"unknown objective":  {lgb.file, "objective=binary sigmoid:1", "objective=secret", runtime.ErrUnsupported},
		"square root":        {lgb.file, "objective=binary sigmoid:1", "objective=regression sqrt", runtime.ErrUnsupported},
		"version":            {lgb.file, "version=v4", "version=v9", runtime.ErrUnsupported},
		"missing type":       {lgb.file, "decision_type=10 ", "decision_type=14 ", runtime.ErrUnsupported},
		"cycle":              {lgb.file, "left_child=", "left_child=0 ", errMalformed},
		"trees cut off":      {lgb.file, "Tree=39", "end of trees\n\nTree=39", errMalformed},
		"file cut off":       {lgb.file[:len(lgb.file)/2], "", "", errMalformed},
		"feature too high":   {lgb.file, "split_feature=0 ", "split_feature=6 ", errMalformed},
		"negative feature":   {lgb.file, "split_feature=0 ", "split_feature=-1 ", errMalformed},
		"leaf not a number":  {lgb.file, "leaf_value=", "leaf_value=nan ", errMalformed},
		"set out of range":   {lgb.file, "cat_boundaries=0 ", "cat_boundaries=999 ", errMalformed},
		"xgboost dart":       {xgb.file, `"name":"gbtree"`, `"name":"dart"`, runtime.ErrUnsupported},
		"xgboost objective":  {xgb.file, `"name":"binary:logistic"`, `"name":"binary:hinge"`, runtime.ErrUnsupported},
		"xgboost categories": {xgb.file, `"split_type":[0`, `"split_type":[1`, runtime.ErrUnsupported},
		"xgboost cycle":      {xgb.file, `"left_children":[1`, `"left_children":[0`, errMalformed},
		"xgboost truncated":  {xgb.file[:len(xgb.file)-9], "", "", errMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			file := c.file
			if c.from != "" {
				changed := strings.Replace(string(file), c.from, c.to, 1)
				if changed == string(file) {
					t.Fatalf("%q is not in the fixture", c.from)
				}
				file = []byte(changed)
			}
			read := readLightGBM
			if strings.HasPrefix(name, "xgboost") {
				read = readXGBoost
			}
			if _, err := read(file); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestRefusesAnotherSignature(t *testing.T) {
	for name, change := range map[string]func(*manifest.Signature){
		"fewer inputs":     func(s *manifest.Signature) { s.Inputs = s.Inputs[1:] },
		"another order":    func(s *manifest.Signature) { s.Inputs[0], s.Inputs[1] = s.Inputs[1], s.Inputs[0] },
		"free text":        func(s *manifest.Signature) { s.Inputs[5].Categories = nil },
		"other categories": func(s *manifest.Signature) { slices.Reverse(s.Inputs[5].Categories) },
		"more outputs":     func(s *manifest.Signature) { s.Outputs = append(s.Outputs, s.Outputs[0]) },
		"another format":   func(s *manifest.Signature) { s.Format = "onnx" },
	} {
		t.Run(name, func(t *testing.T) {
			p := packageOf(t, readFixture(t, "testdata/lgb-frame.txt"), "lgb-frame.txt")
			change(&p.Signature)
			if _, err := (Runtime{}).Load(t.Context(), p.Dir, p.Signature); err == nil {
				t.Error("loaded")
			}
		})
	}
}

func TestWalkAllocatesNothing(t *testing.T) {
	for _, name := range []string{"lgb-binary.txt", "lgb-zero.txt", "xgb-multi.json"} {
		fx := readFixture(t, "testdata/"+name)
		f := fx.read(t).forest
		out := make([]float64, len(fx.raw))
		if n := testing.AllocsPerRun(10, func() { f.predict(fx.in, out, fx.rows) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// TestEveryPathGivesTheSame compares the walks: rows alone, in blocks, and in batches with a remainder.
func TestEveryPathGivesTheSame(t *testing.T) {
	for _, path := range models(t) {
		fx := readFixture(t, path)
		if fx.name == "lgb-linear" {
			continue
		}
		f := fx.read(t).forest
		got := make([]float64, len(fx.raw))
		for at, n := 0, 1; at < fx.rows; at, n = at+n, n%7+1 {
			n = min(n, fx.rows-at)
			f.predict(fx.in[at*f.features:], got[at*f.classes:], n)
		}
		compare(t, fx.name, got, fx.raw)
	}
}

func TestBelow32(t *testing.T) {
	for _, limit := range []float32{0, 1, -1, 22.2, 0.1, math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32, 1e38, math.MaxFloat32} {
		cut := below32(limit)
		for _, v := range []float64{
			cut, math.Nextafter(cut, math.Inf(1)), math.Nextafter(cut, math.Inf(-1)), float64(limit),
			math.Nextafter(float64(limit), math.Inf(-1)), float64(math.Nextafter32(limit, float32(math.Inf(-1)))),
		} {
			if left := float32(v) < limit; left != (v <= cut) {
				t.Errorf("%v against %v: as float32 %v, by the cut %v", v, limit, left, v <= cut)
			}
		}
	}
}

// FuzzReadLightGBM wants any file to be refused or to answer without harm.
func FuzzReadLightGBM(f *testing.F) {
	small := func(name string, trees int) []byte {
		text := string(readFixture(f, "testdata/"+name).file)
		head, rest, _ := strings.Cut(text, "tree_sizes=")
		_, rest, _ = strings.Cut(rest, "\n")
		parts := strings.SplitN(rest, "\nTree=", trees+2)
		file := []byte(head + strings.Join(parts[:trees+1], "\nTree=") + "\n\nend of trees\n")
		if _, err := readLightGBM(file); err != nil {
			f.Fatal(err)
		}
		return file
	}
	f.Add(small("lgb-binary.txt", 1))
	f.Add(small("lgb-poisson.txt", 2))
	f.Add(readFixture(f, "testdata/lgb-stump.txt").file)
	f.Fuzz(func(t *testing.T, file []byte) {
		m, err := readLightGBM(file)
		survives(t, m, err)
	})
}

// FuzzReadXGBoost is the same for XGBoost's format.
func FuzzReadXGBoost(f *testing.F) {
	f.Add([]byte(`{"learner":{"feature_names":["a"],"learner_model_param":{"base_score":"[5E-1]","num_class":"0","num_feature":"1"},` +
		`"objective":{"name":"binary:logistic"},"gradient_booster":{"name":"gbtree","model":{"tree_info":[0],"trees":[{` +
		`"left_children":[1,-1,-1],"right_children":[2,-1,-1],"split_indices":[0,0,0],"split_conditions":[0.5,1,-1],"default_left":[1,0,0]}]}}}}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		m, err := readXGBoost(file)
		survives(t, m, err)
	})
}

func survives(t *testing.T, m imported, err error) {
	if err != nil {
		if !errors.Is(err, errMalformed) && !errors.Is(err, runtime.ErrUnsupported) {
			t.Fatalf("unnamed error %v", err)
		}
		return
	}
	f := m.forest
	rows := []float64{math.NaN(), 0, -1, 1e30, math.Inf(1), 63}
	in := make([]float64, 6*f.features)
	for i := range in {
		in[i] = rows[i%len(rows)]
	}
	out := make([]float64, 6*f.classes)
	f.predict(in, out, 6)
	for i := range 6 {
		f.finish(out[i*f.classes : (i+1)*f.classes])
	}
}
