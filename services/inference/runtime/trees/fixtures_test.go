package trees

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// fixture is a model with what its own library answered, to the last bit. See testdata/make_fixtures.py.
type fixture struct {
	name          string
	file          []byte
	rows          int
	in, raw, want []float64
}

func readFixture(t testing.TB, path string) fixture {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	fx := fixture{name: strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)), file: file}
	table, err := os.ReadFile(strings.TrimSuffix(path, filepath.Ext(path)) + ".tsv")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(table) {
		parts := strings.Split(string(line), "|")
		for i, into := range []*[]float64{&fx.in, &fx.raw, &fx.want} {
			for _, word := range strings.Fields(parts[i]) {
				v, err := strconv.ParseFloat(word, 64)
				if err != nil {
					t.Fatal(err)
				}
				*into = append(*into, v)
			}
		}
		fx.rows++
	}
	return fx
}

func (fx fixture) read(t testing.TB) imported {
	t.Helper()
	read := readLightGBM
	if strings.HasPrefix(fx.name, "xgb") {
		read = readXGBoost
	}
	m, err := read(fx.file)
	if err != nil {
		t.Fatalf("%s: %v", fx.name, err)
	}
	return m
}

func models(t testing.TB) []string {
	t.Helper()
	var out []string
	for _, pattern := range []string{"testdata/lgb-*.txt", "testdata/xgb-*.json"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, found...)
	}
	if len(out) < 16 {
		t.Fatalf("only %d fixtures", len(out))
	}
	return out
}

func TestAnswersAsTheLibraryThatTrained(t *testing.T) {
	for _, path := range models(t) {
		fx := readFixture(t, path)
		if fx.name == "lgb-linear" {
			continue // refused: TestRefusesWhatItCannotReproduce
		}
		t.Run(fx.name, func(t *testing.T) {
			f := fx.read(t).forest
			got := make([]float64, len(fx.raw))
			f.predict(fx.in, got, fx.rows)
			compare(t, "raw", got, fx.raw)
			for i := range fx.rows {
				f.finish(got[i*f.classes : (i+1)*f.classes])
			}
			compare(t, "output", got, fx.want)
		})
	}
}

// compare wants the same bits: no tolerance.
func compare(t *testing.T, what string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	differ, most := 0, 0.0
	for i := range got {
		if math.Float64bits(got[i]) != math.Float64bits(want[i]) {
			differ++
			most = max(most, math.Abs(got[i]-want[i]))
			if differ == 1 {
				t.Errorf("%s %d: got %v, want %v", what, i, got[i], want[i])
			}
		}
	}
	if differ > 0 {
		t.Errorf("%s: %d of %d differ, at most by %g", what, differ, len(got), most)
	}
}
