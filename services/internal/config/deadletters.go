package config

import (
	"errors"
	"fmt"
	"time"
)

// DeadLetters says when a consumer stops a partition rather than to give up more of its events.
type DeadLetters struct {
	// Letters of a partition within Window are always allowed; 0 means 100, less than 0 any number.
	Letters int `yaml:"letters"`
	// Share of the partition's events that may be dead letters where there are more; 0 means 0.5.
	Share float64 `yaml:"share"`
	// Window is the time that counts; 0 means 10 min.
	Window time.Duration `yaml:"window"`
}

// check lists what is wrong.
func (d DeadLetters) check() error {
	var faults []error
	if d.Share < 0 || d.Share >= 1 {
		faults = append(faults, fmt.Errorf("dead_letters.share is %g: want 0 to less than 1", d.Share))
	}
	if d.Window != 0 && d.Window < time.Second {
		faults = append(faults, fmt.Errorf("dead_letters.window is %s: want at least 1s", d.Window))
	}
	return errors.Join(faults...)
}
