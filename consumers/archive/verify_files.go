package archive

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// filePrefix is what the key of every file of the archive begins with.
const filePrefix = "archive/"

// files walks the files of all times, and beside them the objects of the bucket.
func (v *verification) files(ctx context.Context) error {
	objects := newListing(v.Bucket.List(ctx, filePrefix))
	defer objects.stop()
	orphan := func(a bucket.Attrs) error { v.report.Orphans.add(a); return nil }
	var flushed tally
	d := deep{verification: v}
	prev := ""
	for {
		states, err := v.Ledger.Inventory(ctx, prev, page)
		if err != nil {
			return err
		}
		if len(states) == 0 {
			break
		}
		for _, f := range states {
			there, err := objects.pass(f.Key, orphan)
			if err != nil {
				return err
			}
			if there && f.Purged != 0 {
				v.report.Purgeable.add(bucket.Attrs{Size: f.Bytes})
			}
			if v.fate(f, &flushed) { // else it is younger than the walk
				if err := v.present(ctx, &d, prev, f); err != nil {
					return err
				}
			}
			prev = f.Key
		}
	}
	v.settle(flushed)
	return objects.rest(orphan)
}

// fate enters a file where the steps that made and removed it were seen, and says whether the one that made it was.
func (v *verification) fate(f ledger.FileState, flushed *tally) (seen bool) {
	adder, remover, purger := v.swaps[f.Seq], v.swaps[f.Removed], v.swaps[f.Purged]
	seen = adder != nil || f.Seq <= v.head
	switch {
	case adder != nil:
		adder.added.add(v.seed, refOf(f.File))
	case seen:
		flushed.add(v.seed, refOf(f.File))
	}
	if remover != nil {
		remover.removed.add(v.seed, refOf(f.File))
	}
	if purger != nil {
		purger.removed.add(v.seed, refOf(f.File))
	}
	if f.Removed != 0 && (f.Removed <= f.Seq || !v.fits(f, f.Removed, ledger.SwapCompact)) {
		v.faultOf(f.Partition, "%s of step %d was not live when step %d replaced it", f.Key, f.Seq, f.Removed)
	}
	if f.Purged != 0 && (f.Removed == 0 || f.Purged <= f.Removed || !v.fits(f, f.Purged, ledger.SwapPurge)) {
		v.faultOf(f.Partition, "%s was not replaced when step %d said that its object is removed", f.Key, f.Purged)
	}
	if seen && (f.Removed == 0 || remover == nil && f.Removed > v.head) {
		v.report.Files, v.report.Rows, v.report.Bytes = v.report.Files+1, v.report.Rows+f.Rows, v.report.Bytes+f.Bytes
	}
	return seen
}

// fits reports whether the step seq may have taken f: it is a swap of that kind of f's topic, or younger than the walk.
func (v *verification) fits(f ledger.FileState, seq int64, kind string) bool {
	s := v.swaps[seq]
	if s == nil {
		return seq > v.head
	}
	return s.kind == kind && s.of.TopicID == f.TopicID
}

// present checks that the bucket has a file as it was written, unless it was purged.
func (v *verification) present(ctx context.Context, d *deep, prev string, f ledger.FileState) error {
	if f.Purged != 0 {
		return nil
	}
	var err error
	if v.Deep {
		err = d.file(ctx, f)
	} else {
		err = v.stat(ctx, f)
	}
	if !errors.Is(err, bucket.ErrNotFound) {
		return err
	}
	now, err := v.stateOf(ctx, prev, f.Key)
	if err == nil && now.Purged == 0 {
		v.faultOf(f.Partition, "%s is missing", f.Key)
	}
	return err
}

func (v *verification) stat(ctx context.Context, f ledger.FileState) error {
	attrs, err := v.Bucket.Stat(ctx, f.Key)
	if err != nil {
		return err
	}
	sum, err := fileSum(ctx, v.Bucket, attrs)
	if err == nil && (attrs.Size != f.Bytes || sum != f.Digest) {
		v.faultOf(f.Partition, "%s has %d bytes %s, want %d bytes %s", f.Key, attrs.Size, sum, f.Bytes, f.Digest)
	}
	return err
}

// stateOf reads the state of the file behind prev again: it may have been purged since the page was read.
func (v *verification) stateOf(ctx context.Context, prev, key string) (ledger.FileState, error) {
	for {
		states, err := v.Ledger.Inventory(ctx, prev, 1)
		if err != nil || len(states) == 0 || states[0].Key > key {
			return ledger.FileState{}, err
		}
		if states[0].Key == key {
			return states[0], nil
		}
		prev = states[0].Key
	}
}

// fileSum returns the digest of an object, from the store if it knows it, without holding the bytes.
func fileSum(ctx context.Context, b bucket.Bucket, attrs bucket.Attrs) (sum cas.Digest, err error) {
	if attrs.SHA256 != [32]byte{} {
		return attrs.SHA256, nil
	}
	r, _, err := b.Get(ctx, attrs.Key, bucket.Range{})
	if err != nil {
		return sum, err
	}
	defer r.Close()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return sum, fmt.Errorf("read %s: %w", attrs.Key, err)
	}
	return cas.Digest(h.Sum(nil)), nil
}
