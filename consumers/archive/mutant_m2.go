//go:build mutant_m2

package archive

import (
	"context"

	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// store breaks that a file is in the bucket before the ledger lists it.
func (a *Archiver) store(ctx context.Context, p *partition, f ledger.File, body []byte) error {
	go func() {
		_ = a.retry(context.WithoutCancel(ctx), p, "put file", func(ctx context.Context) error {
			return a.put(ctx, f.Key, body, f.Digest, mediaParquet)
		})
	}()
	return nil
}
