package archive

import (
	"context"
	"errors"

	"github.com/signalbox-ml/signalbox/consumers/archive/mirror"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// link returns the digest of the manifest of p's last flush, which the next one names; zero before the first.
func (p *partition) link() (cas.Digest, error) {
	if p.last == nil {
		return cas.Digest{}, nil
	}
	body, err := mirror.EncodeFlush(*p.last)
	return cas.Sum(body), err
}

// writeMirror writes the manifest of p's last flush if it may be missing.
func (a *Archiver) writeMirror(ctx context.Context, p *partition) error {
	if p.mirrored {
		return nil
	}
	err := a.writeManifest(ctx, *p.last)
	p.mirrored = err == nil
	return err
}

// writeManifest puts f's manifest in the bucket unless it is there.
func (a *Archiver) writeManifest(ctx context.Context, f ledger.Flush) error {
	body, err := mirror.EncodeFlush(f)
	if err != nil {
		return err
	}
	err = a.put(ctx, f.Manifest, body, cas.Sum(body), mediaJSON)
	if errors.Is(err, ErrConflict) {
		// The ledger is the authority and goes on; Verify reports the manifest until somebody has looked at it.
		a.counts.conflicts.Add(1)
		a.cfg.Log.ErrorContext(ctx, "manifest does not match the ledger", "error", err)
		return nil
	}
	return err
}

// tryMirror writes the manifest once; the next flush insists.
func (a *Archiver) tryMirror(ctx context.Context, p *partition) {
	err := once(ctx, func(ctx context.Context) error { return a.writeMirror(ctx, p) })
	if err != nil {
		a.counts.retries.Add(1)
		a.cfg.Log.WarnContext(ctx, "manifest not written yet", "partition", p.String(), "error", err)
	}
}
