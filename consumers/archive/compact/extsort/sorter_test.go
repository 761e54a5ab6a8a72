package extsort_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/signalbox-ml/signalbox/consumers/archive/compact/extsort"
)

type pair struct{ key, value string }

func sorted(t *testing.T, s *extsort.Sorter) (out []pair) {
	t.Helper()
	for r, err := range s.Sorted() {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, pair{string(r.Key), string(r.Value)})
	}
	return out
}

// TestSorts: in one piece, in some runs, and in so many that runs are merged into longer ones.
func TestSorts(t *testing.T) {
	for name, tc := range map[string]struct {
		records int
		memory  int64
		spills  bool
	}{
		"nothing": {0, 1000, false}, "in memory": {500, 1 << 20, false}, "some runs": {500, 4000, true}, "levels": {20_000, 400, true},
		"a record each": {300, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			dir := t.TempDir()
			s := extsort.New(dir, tc.memory)
			defer s.Close()
			var want []pair
			for i := range tc.records {
				key := make([]byte, rng.IntN(4)) // few enough to be equal often, and empty
				for j := range key {
					key[j] = byte(rng.IntN(3)) * 127
				}
				p := pair{string(key), fmt.Sprint(i)}
				want = append(want, p)
				if err := s.Add(key, []byte(p.value)); err != nil {
					t.Fatal(err)
				}
			}
			slices.SortStableFunc(want, func(a, b pair) int { return bytes.Compare([]byte(a.key), []byte(b.key)) })
			if got := sorted(t, s); !slices.Equal(got, want) {
				t.Errorf("%d records, not in order or not the same", len(got))
			}
			if (s.Spilled() > 0) != tc.spills || s.Largest() > max(tc.memory, 60) {
				t.Errorf("%d bytes spilled, %d in memory of %d", s.Spilled(), s.Largest(), tc.memory)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v %v", left, err)
			}
		})
	}
}

// TestNoDisk: an error is an error, and no shorter result.
func TestNoDisk(t *testing.T) {
	s := extsort.New(t.TempDir()+"/gone", 100)
	defer s.Close()
	var err error
	for i := 0; err == nil && i < 100; i++ {
		err = s.Add([]byte("key"), make([]byte, 50))
	}
	if err == nil {
		t.Error("nothing was written anywhere")
	}
}
