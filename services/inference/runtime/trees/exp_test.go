package trees

import (
	"bytes"
	"math"
	"math/big"
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestExpTable derives the table from its definition: 2^(1/128) is seven square roots of 2.
func TestExpTable(t *testing.T) {
	const bits = 300
	root := new(big.Float).SetPrec(bits).SetInt64(2)
	for range 7 {
		root.Sqrt(root)
	}
	power := new(big.Float).SetPrec(bits).SetInt64(1)
	for k, got := range expTable {
		nearest, _ := power.Float64()
		rel := new(big.Float).SetPrec(bits).Quo(power, new(big.Float).SetPrec(bits).SetFloat64(nearest))
		tail, _ := rel.Sub(rel, big.NewFloat(1)).Float64()
		want := [2]uint64{math.Float64bits(tail), math.Float64bits(nearest) - uint64(k)<<45}
		if got != want {
			t.Errorf("entry %d: got %#x, want %#x", k, got, want)
		}
		power.Mul(power, root)
	}
}

// TestExpAsGlibc compares with what Python's math.exp, which is glibc's, said. See testdata/make_fixtures.py.
func TestExpAsGlibc(t *testing.T) {
	table, err := os.ReadFile("testdata/exp.tsv")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range bytes.Lines(table) {
		words := strings.Fields(string(line))
		x, err := strconv.ParseFloat(words[0], 64)
		if err != nil {
			t.Fatal(err)
		}
		want, err := strconv.ParseFloat(words[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		if got := exp(x); math.Float64bits(got) != math.Float64bits(want) {
			t.Errorf("exp(%v) = %v, want %v", x, got, want)
		}
		rows++
	}
	if rows < 1000 {
		t.Fatalf("only %d rows", rows)
	}
}

func TestExpAtItsEnds(t *testing.T) {
	for _, c := range []struct{ x, want float64 }{
		{math.Inf(1), math.Inf(1)}, {math.Inf(-1), 0}, {0, 1}, {1e-300, 1}, {-1e-300, 1}, {710, math.Inf(1)}, {-800, 0},
	} {
		if got := exp(c.x); got != c.want {
			t.Errorf("exp(%v) = %v, want %v", c.x, got, c.want)
		}
	}
	if got := exp(math.NaN()); !math.IsNaN(got) {
		t.Errorf("exp(NaN) = %v", got)
	}
}
