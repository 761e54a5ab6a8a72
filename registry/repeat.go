package registry

import (
	"context"
	"errors"
	"fmt"
)

// ErrNoRepeat reports a run that is not to be run again: it is complete, or not over yet.
var ErrNoRepeat = errors.New("only a run that failed or was cancelled is run again")

// RepeatRun runs a run that failed or was cancelled again: a new run with the same request, down to the byte, and with the
// workflow as it is declared by now. The same nonce gives the same new run. ErrNoRepeat, with the run, for any other.
func (r *Registry) RepeatRun(ctx context.Context, id RunID, nonce string) (run Run, created bool, err error) {
	old, err := r.catalog.Run(ctx, id)
	if err != nil {
		return Run{}, false, fmt.Errorf("repeat run %s: %w", id, err)
	}
	if old.State != RunFailed && old.State != RunCancelled {
		return old, false, fmt.Errorf("repeat run %s, which is %s: %w", id, old.State, ErrNoRepeat)
	}
	run, created, err = r.RequestRun(ctx, RunRequest{Request: old.Request, Nonce: "retry\n" + id.String() + "\n" + nonce, RetryOf: id})
	if err != nil {
		return Run{}, false, fmt.Errorf("repeat run %s: %w", id, err)
	}
	return run, created, nil
}
