//go:build !mutant_m2

package archive

import (
	"context"

	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// store returns when f is in the bucket: only then may the ledger list it.
func (a *Archiver) store(ctx context.Context, p *partition, f ledger.File, body []byte) error {
	return a.retry(ctx, p, "put file", func(ctx context.Context) error {
		return a.put(ctx, f.Key, body, f.Digest, mediaParquet)
	})
}
