package registry

import "fmt"

// Fence says whether a report of one attempt by one executor counts: ErrRunMoved where the run is at another attempt or
// was cancelled, or where the attempt belongs to another executor. One that nobody has claimed takes reports of everybody
// who may report on it; from then on only its executor's. A run that has ended otherwise answers for itself, so that a
// report may be repeated.
func (r Run) Fence(attempt int, executor string) error {
	if r.Attempt != attempt || r.State == RunCancelled {
		return fmt.Errorf("run %s is %s at attempt %d: %w", r.ID, r.State, r.Attempt, ErrRunMoved)
	}
	if r.Executor != "" && r.Executor != executor {
		return fmt.Errorf("attempt %d of run %s is another executor's: %w", attempt, r.ID, ErrRunMoved)
	}
	return nil
}
