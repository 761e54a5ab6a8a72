package main

import (
	"os"
	"slices"
	"testing"
)

func TestAllowance(t *testing.T) {
	if said, ok := os.LookupEnv("GOMEMLIMIT"); ok {
		t.Setenv("GOMEMLIMIT", said) // puts it back
		if err := os.Unsetenv("GOMEMLIMIT"); err != nil {
			t.Fatal(err)
		}
	}
	var limits []int64
	set := func(n int64) int64 {
		limits = append(limits, n>>20)
		return 0
	}
	a := newAllowance(256<<20, set)
	first, second := a.lend(100<<20), a.lend(10<<20)
	first()
	first() // once is enough
	second()
	newAllowance(64<<20, set)
	if want := []int64{208, 308, 318, 218, 208, 32}; !slices.Equal(limits, want) {
		t.Errorf("limits of %v MiB, want %v", limits, want)
	}
}

// Who runs the process knows better.
func TestAllowanceOfTheEnvironment(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "1GiB")
	a := newAllowance(256<<20, func(n int64) int64 {
		t.Errorf("limit set to %d", n)
		return 0
	})
	a.lend(1)()
}
