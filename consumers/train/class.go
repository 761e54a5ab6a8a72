package train

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
)

// DefaultClass is the compute class of requests that name none.
const DefaultClass = "CPU"

// Class is a kind of machine that the operator offers: a value of compute_resource.
type Class struct {
	Name    string  // CPU, GPU, HIGH_MEMORY or any other
	Backend Backend // required; several classes may share one
	// Memory is what a job may use, in bytes; 0: nobody knows. Kind joins classes that differ in nothing else: an attempt
	// that ran out of memory is repeated on the next larger class of its kind.
	Memory int64
	Kind   string
	// MaxParallel bounds the class's jobs at once; 0: only Config.MaxParallel does.
	MaxParallel int
	// Queued says that a queue outside (Kueue) decides when jobs start. The limits here do not apply to them.
	Queued bool
	// Deadline ends an attempt that takes longer; 0 means Config.Deadline.
	Deadline time.Duration
}

// classes are the configured ones by name.
type classes []Class

func (cs classes) validate() error {
	var errs []error
	if len(cs) == 0 {
		errs = append(errs, errors.New("classes are missing: jobs would have nowhere to run"))
	}
	seen := map[string]bool{}
	for _, c := range cs {
		switch {
		case c.Name == "" || seen[c.Name]:
			errs = append(errs, fmt.Errorf("class %q: the name is missing or there twice", c.Name))
		case c.Backend == nil:
			errs = append(errs, fmt.Errorf("class %s: backend is missing", c.Name))
		case c.Memory < 0 || c.MaxParallel < 0 || c.Deadline < 0:
			errs = append(errs, fmt.Errorf("class %s: a limit is negative", c.Name))
		}
		seen[c.Name] = true
	}
	return errors.Join(errs...)
}

func (cs classes) find(name string) (Class, bool) {
	i := slices.IndexFunc(cs, func(c Class) bool { return c.Name == name })
	if i < 0 {
		return Class{}, false
	}
	return cs[i], true
}

// of is the class of a run: the one that its attempt was queued on, or the one that its request names.
func (cs classes) of(run registry.Run, asked string) (Class, bool) {
	if run.ComputeClass != "" {
		return cs.find(run.ComputeClass)
	}
	if asked != "" {
		return cs.find(asked)
	}
	if c, ok := cs.find(DefaultClass); ok {
		return c, true
	}
	return cs[0], true
}

// larger is the class of the same kind with the least memory above c's.
func (cs classes) larger(c Class) (Class, bool) {
	var next Class
	for _, o := range cs {
		if o.Kind == c.Kind && c.Memory > 0 && o.Memory > c.Memory && (next.Memory == 0 || o.Memory < next.Memory) {
			next = o
		}
	}
	return next, next.Memory > 0
}
