package raybackend

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"

	"github.com/signalbox-ml/signalbox/consumers/train"
)

// Class is what the operator says about the jobs of one compute class. Ray counts with these figures where it places a job;
// it does not hold the job to them.
type Class struct {
	CPUs   float64 // 0 means 1
	GPUs   float64
	Memory int64 // bytes; 0: Ray does not look at memory
	// Resources are the cluster's own, by name.
	Resources map[string]float64
	// Env is added to the job's environment, and everybody who sees the cluster's dashboard can read it. Names that change
	// how programs are loaded are refused.
	Env map[string]string
}

var (
	resourceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,100}$`)
)

// validate lists every fault of a class.
func (c Class) validate(name string) error {
	var errs []error
	fault := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("class %s: "+format, append([]any{name}, args...)...))
		}
	}
	fault(amount(c.CPUs) && amount(c.GPUs), "cpus %v, gpus %v: want what can be counted", c.CPUs, c.GPUs)
	fault(c.GPUs < 1 || c.GPUs == math.Trunc(c.GPUs), "gpus %v: more than one must be whole", c.GPUs)
	fault(c.Memory >= 0, "memory %d is negative", c.Memory)
	for _, key := range slices.Sorted(maps.Keys(c.Resources)) {
		fault(resourceName.MatchString(key), "resource %q is no name", key)
		fault(amount(c.Resources[key]), "resource %s: %v is no amount", key, c.Resources[key])
		fault(!slices.Contains([]string{"CPU", "GPU", "memory", "object_store_memory"}, key), "resource %s has a field of its own", key)
	}
	for _, key := range slices.Sorted(maps.Keys(c.Env)) {
		fault(train.MaySet(key), "environment variable %q is not allowed", key)
	}
	return errors.Join(errs...)
}

func amount(v float64) bool { return v >= 0 && v < 1e9 }

// environment is what the job gets beside what Ray's own processes have.
func (c Class) environment(grace int) map[string]string {
	threads := strconv.Itoa(max(1, int(c.CPUs)))
	env := map[string]string{
		"PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1",
		"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "OMP_WAIT_POLICY": "PASSIVE",
		"RAY_JOB_STOP_WAIT_TIME_S": strconv.Itoa(grace), // from SIGTERM to SIGKILL
	}
	maps.Copy(env, c.Env)
	return env
}
