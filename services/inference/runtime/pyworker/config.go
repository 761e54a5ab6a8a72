package pyworker

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/signalbox-ml/signalbox/services/inference/runtime"
)

// Config of a Runtime. Everything counts for each model.
type Config struct {
	// Python is the interpreter: a path, or a name to look up in PATH. It must have the distribution signalbox.
	Python string
	// Args start the worker; the number of its socket is added. Empty: -m signalbox.worker.
	Args []string
	// Env is added to the workers' environment ("NAME=value"), which otherwise holds no more than a search path and a
	// locale: a package's code must not find the server's credentials.
	Env []string
	// Workers is the number of processes; 0 means 1. Each holds the whole model.
	Workers int
	// MaxBatch is how many rows go into one call at most, unless one request has more; 0 means 1024.
	MaxBatch int
	// MaxQueue is how many rows wait at most; 0 means 4096. More is runtime.ErrOverloaded.
	MaxQueue int
	// Deadline bounds one call; 0 means 10 s. A worker that misses it is killed.
	Deadline time.Duration
	// LoadDeadline bounds the start of a worker with its model; 0 means 120 s.
	LoadDeadline time.Duration
	// MinBackoff and MaxBackoff bound the pause before a worker that died is started again; 0 means 100 ms and 30 s.
	MinBackoff, MaxBackoff time.Duration
	Log                    *slog.Logger
}

func (c Config) withDefaults() Config {
	if len(c.Args) == 0 {
		c.Args = []string{"-m", "signalbox.worker"}
	}
	for _, d := range []struct {
		into *int
		def  int
	}{{&c.Workers, 1}, {&c.MaxBatch, 1024}, {&c.MaxQueue, 4096}} {
		if *d.into == 0 {
			*d.into = d.def
		}
	}
	for _, d := range []struct {
		into *time.Duration
		def  time.Duration
	}{{&c.Deadline, 10 * time.Second}, {&c.LoadDeadline, 2 * time.Minute}, {&c.MinBackoff, 100 * time.Millisecond}, {&c.MaxBackoff, 30 * time.Second}} {
		if *d.into == 0 {
			*d.into = d.def
		}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c Config) validate() error {
	var faults []error
	if c.Python == "" {
		faults = append(faults, errors.New("pyworker: Python is required: the interpreter that has the distribution signalbox"))
	}
	if c.Workers < 1 || c.Workers > 256 {
		faults = append(faults, fmt.Errorf("pyworker: Workers %d: want 1 to 256", c.Workers))
	}
	if c.MaxBatch < 1 || c.MaxBatch > runtime.MaxRows {
		faults = append(faults, fmt.Errorf("pyworker: MaxBatch %d: want 1 to %d", c.MaxBatch, runtime.MaxRows))
	}
	if c.MaxQueue < 1 {
		faults = append(faults, fmt.Errorf("pyworker: MaxQueue %d: want at least 1", c.MaxQueue))
	}
	if c.Deadline < 0 || c.LoadDeadline < 0 || c.MinBackoff < 0 || c.MaxBackoff < c.MinBackoff {
		faults = append(faults, errors.New("pyworker: a duration is negative, or MaxBackoff below MinBackoff"))
	}
	return errors.Join(faults...)
}
