package figures

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestChoose(t *testing.T) {
	names := []string{"a1", "a2", "a3"}
	for list, want := range map[string]string{"": "a1 a2 a3", "a3,a1": "a3 a1", "a2": "a2", "a1,a9": "", "a1,": ""} {
		got, err := Choose(list, names)
		if strings.Join(got, " ") != want || (err == nil) != (want != "") {
			t.Errorf("%q: %v, %v", list, got, err)
		}
		if err != nil && !strings.Contains(err.Error(), "a1, a2, a3") {
			t.Errorf("%q: %v does not say what there is", list, err)
		}
	}
}

// One that fails ends it, and its name is in the error.
func TestMeasure(t *testing.T) {
	var done []string
	broken := errors.New("broken")
	err := NewReport("Test", "test", time.Now()).Measure([]string{"a", "b", "c"}, func(name string) error {
		done = append(done, name)
		if name == "b" {
			return broken
		}
		return nil
	})
	if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "b: ") || !slices.Equal(done, []string{"a", "b"}) {
		t.Errorf("%v, %v", done, err)
	}
}
