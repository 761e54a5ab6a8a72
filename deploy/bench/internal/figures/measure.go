package figures

import (
	"fmt"
	"slices"
	"strings"
)

// Choose reads a list of names with commas: those that it has, all without one. It is an error to name what is not there.
func Choose(list string, names []string) ([]string, error) {
	if list == "" {
		return names, nil
	}
	chosen := strings.Split(list, ",")
	for _, name := range chosen {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("-only %q: want of %s", list, strings.Join(names, ", "))
		}
	}
	return chosen, nil
}

// Measure does what was chosen, one after another until one fails. What was reported before is worth publishing.
func (r *Report) Measure(chosen []string, do func(name string) error) error {
	for _, name := range chosen {
		r.Load(name)
		if err := do(name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
