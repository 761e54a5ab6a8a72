package registry_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// What the catalog keeps as columns of their own must fit into them, whoever asks for the run.
func TestWhoIsBounded(t *testing.T) {
	b := newBench(t)
	b.apply(t, workflowYAML)
	ref := b.dataset(t, "flights", 0).ID.String()
	long := `"` + strings.Repeat("x", registry.MaxWho+1) + `"`
	for old, at := range map[string]string{`"ops"`: "/owner", `"demo"`: "/project", `"kelley"`: "/trainer"} {
		for _, value := range []string{long, "7", "{}"} {
			_, _, err := b.RequestRun(t.Context(), request(ref, old, value))
			if fs := manifest.Faults(err); !errors.Is(err, registry.ErrInvalid) || len(fs) != 1 || fs[0].Path != at {
				t.Errorf("%s = %.20s: %v", at, value, err)
			}
		}
		if _, _, err := b.RequestRun(t.Context(), request(ref, old, "null")); err != nil {
			t.Errorf("no %s: %v", at, err)
		}
	}
}

// Priority and hardware say nothing of what is computed: the same content is the same run.
func TestPriorityIsNoContent(t *testing.T) {
	b := newBench(t)
	b.apply(t, workflowYAML)
	ref := b.dataset(t, "flights", 0).ID.String()
	first := must2(b.RequestRun(t.Context(), request(ref)))(t)
	for _, member := range []string{`"priority": 7`, `"compute_resource": {"compute_resource": "GPU"}`} {
		if run := must2(b.RequestRun(t.Context(), request(ref, `"trainer"`, member+`, "trainer"`)))(t); run.ID != first.ID {
			t.Errorf("%s makes another run", member)
		}
	}
}

// must2 is must for a run that may be there already.
func must2(run registry.Run, _ bool, err error) func(*testing.T) registry.Run { return must(run, err) }
