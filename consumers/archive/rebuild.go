package archive

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"iter"

	"github.com/signalbox-ml/signalbox/consumers/archive/mirror"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// errAlive reports a bucket in which somebody wrote manifests while they were read.
var errAlive = errors.New("the manifests changed while they were read: stop every archiver, then begin again")

// restorer is an empty ledger.
type restorer interface {
	// Restore fills the ledger with a history, all or nothing.
	Restore(ctx context.Context, steps iter.Seq2[ledger.Step, error]) error
}

// Rebuilt is what Rebuild found in the bucket and put into the ledger.
type Rebuilt struct {
	Topics     int   `json:"topics"`
	Partitions int   `json:"partitions"`
	Flushes    int64 `json:"flushes"`
	Swaps      int64 `json:"swaps"`
	Files      int64 `json:"files"` // of all times
	Rows       int64 `json:"rows"`  // of flushes
	// Gaps counts places in the order of steps that no manifest has: of steps that were not mirrored yet when the ledger was
	// lost, the newest of their chain, and those that an earlier Rebuild left free.
	Gaps int64 `json:"gaps"`
}

// Rebuild makes the ledger again from the manifests in the bucket, and from nothing else. No archiver may run. A history
// that has a hole, or that contradicts itself, is ledger.ErrTorn with the key where it shows, and a ledger that already has
// one is ledger.ErrNotEmpty: then nothing is written.
//
// What only claims and idle notices make is not in manifests: owners, and how far a quiet partition is known to be
// complete. It comes back with the next claim. Epochs go on above every one that stands in a manifest or in the name of an
// object, so that what a crash left behind is in nobody's way. A flush whose manifest was never written, of which a
// partition has one at most, is read from Kafka again; its objects are orphans then.
func Rebuild(ctx context.Context, b bucket.Bucket, l restorer) (Rebuilt, error) {
	r := &rebuild{bucket: b}
	err := l.Restore(ctx, func(yield func(ledger.Step, error) bool) { r.run(ctx, yield) })
	if errors.Is(err, ledger.ErrTorn) {
		err = fmt.Errorf("%w; nothing was written: bring the objects back from the bucket's versions or from a copy, and begin again", err)
	}
	if err != nil {
		return Rebuilt{}, fmt.Errorf("rebuild ledger: %w", err)
	}
	r.found.Gaps = r.newest - r.found.Flushes - r.found.Swaps
	return r.found, nil
}

// rebuild reads manifests one at a time, in order of their keys. It holds a few numbers of each topic.
type rebuild struct {
	bucket bucket.Bucket
	found  Rebuilt
	newest int64 // step
	chain  chain
	epochs epochs
}

// run yields every step, may be called again, and then begins anew.
func (r *rebuild) run(ctx context.Context, yield func(ledger.Step, error) bool) {
	r.found, r.newest, r.chain, r.epochs = Rebuilt{}, 0, chain{}, epochs{}
	before := sha256.New()
	for a, err := range r.bucket.List(ctx, manifestPrefix) {
		var step ledger.Step
		if err == nil {
			enter(before, a)
			step, err = r.step(ctx, a.Key)
		}
		if !yield(step, err) || err != nil {
			return
		}
	}
	for c, err := range r.epochs.claims(r.bucket.List(ctx, filePrefix)) {
		if !yield(ledger.Step{Claim: &c}, err) || err != nil {
			return
		}
	}
	if err := r.unchanged(ctx, before); err != nil {
		yield(ledger.Step{}, err)
	}
}

func enter(h hash.Hash, a bucket.Attrs) { fmt.Fprintf(h, "%s %d\n", a.Key, a.Size) }

// unchanged lists the manifests again: a flush that an archiver adds meanwhile would be lost.
func (r *rebuild) unchanged(ctx context.Context, before hash.Hash) error {
	after := sha256.New()
	for a, err := range r.bucket.List(ctx, manifestPrefix) {
		if err != nil {
			return err
		}
		enter(after, a)
	}
	if string(before.Sum(nil)) != string(after.Sum(nil)) {
		return errAlive
	}
	return nil
}

// step reads a manifest and checks that it continues what was read before.
func (r *rebuild) step(ctx context.Context, key string) (ledger.Step, error) {
	_, partition, _, ok := parseManifestKey(key)
	if !ok {
		return ledger.Step{}, fmt.Errorf("%s is not the key of a manifest: %w", key, ledger.ErrTorn)
	}
	body, err := readAll(ctx, r.bucket, key)
	if errors.Is(err, bucket.ErrNotFound) {
		return ledger.Step{}, errAlive
	}
	if err != nil {
		return ledger.Step{}, err
	}
	if partition == ledger.Several {
		return r.swap(key, body)
	}
	return r.flush(key, body)
}

func (r *rebuild) flush(key string, body []byte) (ledger.Step, error) {
	f, err := mirror.DecodeFlush(key, body)
	if err != nil {
		return ledger.Step{}, fmt.Errorf("%w: %w", ledger.ErrTorn, err)
	}
	newTopic, newPartition, what := r.chain.flush(f, cas.Sum(body))
	if what != "" {
		return ledger.Step{}, fmt.Errorf("%s: %s: %w", key, what, ledger.ErrTorn)
	}
	if newTopic {
		r.found.Topics++
	}
	if newPartition {
		r.found.Partitions++
	}
	r.found.Flushes, r.found.Files, r.found.Rows = r.found.Flushes+1, r.found.Files+int64(len(f.Files)), r.found.Rows+f.Records
	r.newest = max(r.newest, f.Seq)
	r.epochs.flush(f)
	return ledger.Step{Flush: &f}, nil
}

func (r *rebuild) swap(key string, body []byte) (ledger.Step, error) {
	s, err := mirror.DecodeSwap(key, body)
	if err != nil {
		return ledger.Step{}, fmt.Errorf("%w: %w", ledger.ErrTorn, err)
	}
	if what := r.chain.swap(s, cas.Sum(body)); what != "" {
		return ledger.Step{}, fmt.Errorf("%s: %s: %w", key, what, ledger.ErrTorn)
	}
	r.found.Swaps, r.found.Files = r.found.Swaps+1, r.found.Files+int64(len(s.Add))
	r.newest = max(r.newest, s.Seq)
	return ledger.Step{Swap: &s}, nil
}
