package train_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/consumers/train/backendtest"
	"github.com/signalbox-ml/signalbox/registry"
)

// of asks for a run of a project with a priority.
func of(project string, priority int) func(map[string]any) {
	return func(q map[string]any) { q["project"], q["priority"] = project, priority }
}

// notes is why a run waited, by its history.
func notes(run registry.Run) []string {
	var out []string
	for _, t := range run.History {
		if strings.HasPrefix(t.Reason, "waits") {
			out = append(out, t.Reason)
		}
	}
	return out
}

// crowd is a world whose jobs take a minute, and the names of the runs in the order in which they began.
func crowd(t *testing.T) (w *world, ask func(name, project string, priority int) registry.Run, began func() string) {
	names := map[registry.RunID]string{}
	order := make(chan registry.RunID, 100)
	w = newWorld(t, func(w *world) backendtest.Program {
		return func(ctx context.Context, j train.Job, _ io.Writer) int {
			order <- j.Run
			sleep(ctx, time.Minute)
			if w.complete(ctx, j) != nil {
				return 1
			}
			return 0
		}
	})
	ask = func(name, project string, priority int) registry.Run {
		run := w.request(name, of(project, priority))
		names[run.ID] = name
		sleep(t.Context(), time.Millisecond)
		return run
	}
	var out []string
	began = func() string {
		synctest.Wait()
		for {
			select {
			case id := <-order:
				out = append(out, names[id])
			default:
				return strings.Join(out, " ")
			}
		}
	}
	return w, ask, began
}

func TestPriorityThenAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, ask, began := crowd(t)
		for i, priority := range []int{0, 0, 5, -5, 2} {
			ask(fmt.Sprintf("p%d.%d", priority, i), "", priority)
		}
		w.start(func(c *train.Config) { c.MaxParallel = 1; c.Aging = time.Hour })
		sleep(t.Context(), 10*time.Minute)
		if got, want := began(), "p5.2 p2.4 p0.0 p0.1 p-5.3"; got != want {
			t.Errorf("began %q, want %q", got, want)
		}
	})
}

// However many others come with a higher priority, one that waits long enough gets its turn.
func TestAgingEndsStarvation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, ask, began := crowd(t)
		ask("first", "", 0)
		w.start(func(c *train.Config) { c.MaxParallel = 1; c.Aging = time.Minute })
		sleep(t.Context(), 2*time.Second)
		ask("low", "", -3)
		for i := range 12 {
			ask(fmt.Sprint("a", i), "", 1)
			ask(fmt.Sprint("b", i), "", 1)
			sleep(t.Context(), time.Minute)
		}
		got := strings.Fields(began())
		// Four points behind, at one a minute: only those that came within four minutes go before it.
		if at := slices.Index(got, "low"); at != 9 {
			t.Errorf("began %q, want low behind first, a0 to a3 and b0 to b3", got)
		}
	})
}

func TestProjectsHaveTheirShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, ask, began := crowd(t)
		var greedy []registry.Run
		for i := range 4 {
			greedy = append(greedy, ask(fmt.Sprint("g", i), "greedy", 9))
		}
		ask("other", "modest", 0)
		w.start(func(c *train.Config) {
			c.MaxParallel = 4
			c.EachProject = train.Project{MaxParallel: 2}
			c.Projects = map[string]train.Project{"modest": {MaxParallel: 1, Priority: -1}}
		})
		sleep(t.Context(), 10*time.Second)
		if got := strings.Fields(began()); len(got) != 3 || !slices.Contains(got, "other") {
			t.Errorf("began %q, want two of greedy and other", got)
		}
		run := w.run(greedy[3].ID, 0)
		if got := notes(run); !slices.Equal(got, []string{"waits for its turn: project greedy may run 2 jobs at once"}) {
			t.Errorf("history says %q", got)
		}
		sleep(t.Context(), 3*time.Minute)
		if got := strings.Fields(began()); len(got) != 5 {
			t.Errorf("began %q, want all", got)
		}
	})
}

// Jobs of a class with a queue outside are all handed over; the queue decides.
func TestQueuedClassHasNoLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, ask, began := crowd(t)
		for i := range 5 {
			ask(fmt.Sprint(i), "", 0)
		}
		w.start(func(c *train.Config) {
			c.MaxParallel = 1
			c.Classes = []train.Class{{Name: "CPU", Backend: w.backend, Queued: true}}
		})
		sleep(t.Context(), 5*time.Second)
		if got := strings.Fields(began()); len(got) != 5 {
			t.Errorf("began %q, want all five", got)
		}
	})
}

func TestClassSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _, _ := crowd(t)
		gpu := func(q map[string]any) { q["compute_resource"] = map[string]any{"compute_resource": "GPU"} }
		w.request("a", gpu)
		sleep(t.Context(), time.Millisecond)
		second := w.request("b", gpu)
		w.request("c")
		w.start(func(c *train.Config) {
			c.MaxParallel = 5
			c.Classes = []train.Class{{Name: "CPU", Backend: w.backend}, {Name: "GPU", Backend: w.backend, MaxParallel: 1}}
		})
		waiting := w.run(second.ID, 10*time.Second)
		w.want(waiting, registry.RunRequested, 0)
		if got := notes(waiting); !slices.Equal(got, []string{"waits for a free slot of compute class GPU: 1 jobs may run at once"}) {
			t.Errorf("history says %q", got)
		}
		if n := w.backend.Len(); n != 2 {
			t.Errorf("%d jobs, want one of each class", n)
		}
	})
}
