package compact

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// transferStart and transferRate, in bytes a second, bound a transfer of an object: a store that stops in the middle of a body
	// would hold the compactor for ever, and with it the lock that keeps all others waiting.
	transferStart = time.Minute
	transferRate  = 1 << 20
)

// errSlow is why a transfer ends before the store has ended it.
var errSlow = errors.New("the object store is too slow or has stopped answering")

// within bounds a transfer of size bytes.
func within(ctx context.Context, size int64) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, transferStart+time.Duration(size/transferRate)*time.Second, errSlow)
}

// tooSlow says of a transfer's error that its bound was the reason, where it was.
func tooSlow(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errSlow) {
		return fmt.Errorf("%w: %w", errSlow, err)
	}
	return err
}
