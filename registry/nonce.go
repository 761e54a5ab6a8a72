package registry

import "context"

// RunByNonce returns the run that was requested with a nonce, with its history: ErrNotFound if there was none.
func (r *Registry) RunByNonce(ctx context.Context, nonce string) (Run, error) {
	return r.catalog.Run(ctx, nonceID(nonce))
}
