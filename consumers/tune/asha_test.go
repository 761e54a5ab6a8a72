package tune

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func searchOf(goal string, reduction int64) registry.Search {
	return registry.Search{Metric: "m", Goal: goal, Algorithm: registry.AlgorithmASHA, ASHA: &registry.ASHA{MinStep: 1, MaxStep: 10, Reduction: reduction}}
}

// at is a trial that measured these values at steps 1, 2 and so on, from its second on.
func at(number, second int, values ...float64) trial {
	t := trial{run: registry.Run{Trial: number}}
	for i, v := range values {
		step := int64(i + 1)
		t.points = append(t.points, registry.Point{Step: &step, Value: v, At: noon.Add(time.Duration(second+i) * time.Second)})
	}
	return t
}

// stopped are the numbers of the trials that must not go on.
func stopped(s registry.Search, trials ...trial) string {
	var out []string
	for _, t := range trials {
		if stop(s, t, trials) != "" {
			out = append(out, fmt.Sprint(t.run.Trial))
		}
	}
	return strings.Join(out, " ")
}

func TestStop(t *testing.T) {
	up, down := searchOf(registry.GoalMaximize, 3), searchOf(registry.GoalMinimize, 2)
	for name, tc := range map[string]struct{ got, want string }{
		"none has measured":                 {stopped(up, at(1, 0), at(2, 0)), ""},
		"the first ones go on":              {stopped(up, at(1, 0, 0.1), at(2, 1, 0.0)), ""},
		"the third is compared":             {stopped(up, at(1, 0, 0.2), at(2, 1, 0.3), at(3, 2, 0.1)), "3"},
		"the third is the best":             {stopped(up, at(1, 0, 0.2), at(2, 1, 0.3), at(3, 2, 0.4)), ""},
		"equal ones go on":                  {stopped(up, at(1, 0, 0.2), at(2, 1, 0.2), at(3, 2, 0.2), at(4, 3, 0.2)), ""},
		"two of six":                        {stopped(up, at(1, 0, 1), at(2, 1, 2), at(3, 2, 3), at(4, 3, 4), at(5, 4, 5), at(6, 5, 4.5)), ""},
		"third of six":                      {stopped(up, at(1, 0, 1), at(2, 1, 2), at(3, 2, 3), at(4, 3, 4), at(5, 4, 5), at(6, 5, 3.5)), "6"},
		"at one moment the greater number":  {stopped(up, at(1, 0, 0.1), at(2, 0, 0.3), at(3, 0, 0.2)), "3"},
		"less is better":                    {stopped(down, at(1, 0, 0.1), at(2, 1, 0.3)), "2"},
		"behind at the second rung":         {stopped(down, at(1, 0, 0.1, 0.5), at(2, 1, 0.05, 0.6)), "2"},
		"those that were stopped count too": {stopped(down, at(1, 0, 0.1), at(2, 1, 0.3), at(3, 2, 0.2)), "2 3"},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: stopped %q, want %q", name, tc.got, tc.want)
		}
	}
	random := searchOf(registry.GoalMaximize, 2)
	random.Algorithm, random.ASHA = registry.AlgorithmRandom, nil
	if got := stopped(random, at(1, 0, 9), at(2, 1, 1)); got != "" {
		t.Errorf("random search stops %q", got)
	}
}

func TestStopSaysWhy(t *testing.T) {
	step := int64(9)
	own := trial{run: registry.Run{Trial: 7}, points: []registry.Point{{Step: &step, Value: 0.81, At: noon.Add(time.Hour)}}}
	s := searchOf(registry.GoalMaximize, 3)
	s.ASHA.MinStep, s.ASHA.MaxStep = 9, 81
	all := []trial{own}
	for i := range 6 {
		p := registry.Point{Step: &step, Value: 0.9, At: noon}
		all = append(all, trial{run: registry.Run{Trial: i + 1}, points: []registry.Point{p}})
	}
	if got, want := stop(s, own, all), "asha: 0.81 at step 9 is not among the best third of 7"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Points without a step count one by one, and a figure that is measured seldom counts at the rung that it has passed.
func TestReached(t *testing.T) {
	plain := []registry.Point{{Value: 1}, {Value: 2}, {Value: 3}}
	if p, ok := reached(plain, 3); !ok || p.Value != 3 {
		t.Errorf("third point: %v %v", p, ok)
	}
	if _, ok := reached(plain, 4); ok {
		t.Error("a fourth point of three")
	}
	ten, twenty := int64(10), int64(20)
	if p, ok := reached([]registry.Point{{Step: &ten, Value: 1}, {Step: &twenty, Value: 2}}, 11); !ok || p.Value != 2 {
		t.Errorf("behind step 10: %v %v", p, ok)
	}
}

// Whoever looks later, or has read the trials in another order, decides the same of those that were there.
func TestStopIsTheSameAtAnyTime(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	s := searchOf(registry.GoalMaximize, 3)
	for range 200 {
		var trials []trial
		for i := range 12 {
			trials = append(trials, at(i+1, rng.IntN(8), rng.Float64()))
		}
		slices.SortStableFunc(trials, func(a, b trial) int { return a.points[0].At.Compare(b.points[0].At) })
		for i, one := range trials {
			early := stop(s, one, trials[:i+1])
			shuffled := slices.Clone(trials)
			rng.Shuffle(len(shuffled), func(a, b int) { shuffled[a], shuffled[b] = shuffled[b], shuffled[a] })
			if late := stop(s, one, shuffled); late != early {
				t.Fatalf("trial %d: %q when it was measured, %q later", one.run.Trial, early, late)
			}
		}
	}
}
