package simulation_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// Steps that an ambush can wait for; other calls go by the name of their verb.
const (
	opFile   = "put file"
	opMirror = "put manifest"
	opCommit = "commit"
	opSwap   = "swap"
)

// mortalBucket is the bucket as a process meets it.
type mortalBucket struct {
	bucket.Bucket
	life *life
}

// Put implements bucket.Bucket.
func (b mortalBucket) Put(ctx context.Context, key string, body io.ReadSeeker, size int64, o bucket.PutOptions) (bucket.Attrs, error) {
	op := opFile
	if strings.HasPrefix(key, "manifests/") {
		op = opMirror
	}
	sent, err := io.ReadAll(body) // a late one must not read what its owner uses again
	if err != nil {
		return bucket.Attrs{}, err
	}
	a, err := ask(ctx, b.life, bucketFaults(), op, func(ctx context.Context) (bucket.Attrs, error) {
		return b.Bucket.Put(ctx, key, bytes.NewReader(sent), size, o)
	})
	if errors.Is(err, bucket.ErrExists) {
		b.life.world.tally.hit(sawExists)
	}
	return a, err
}

// Stat implements bucket.Bucket, like a store that keeps no SHA-256: whoever wants it must read.
func (b mortalBucket) Stat(ctx context.Context, key string) (bucket.Attrs, error) {
	a, err := ask(ctx, b.life, bucketFaults(), "stat", func(ctx context.Context) (bucket.Attrs, error) { return b.Bucket.Stat(ctx, key) })
	a.SHA256 = [32]byte{}
	return a, err
}

// Delete implements bucket.Bucket.
func (b mortalBucket) Delete(ctx context.Context, key string) error {
	_, err := ask(ctx, b.life, bucketFaults(), "delete", func(ctx context.Context) (struct{}, error) {
		return struct{}{}, b.Bucket.Delete(ctx, key)
	})
	return err
}

type opened struct {
	body  io.ReadCloser
	attrs bucket.Attrs
}

// Get implements bucket.Bucket.
func (b mortalBucket) Get(ctx context.Context, key string, r bucket.Range) (io.ReadCloser, bucket.Attrs, error) {
	o, err := ask(ctx, b.life, bucketFaults(), "get", func(ctx context.Context) (opened, error) {
		body, a, err := b.Bucket.Get(ctx, key, r)
		return opened{body, a}, err
	})
	if err != nil {
		return nil, bucket.Attrs{}, err
	}
	rng := b.life.numbers("read")
	if b.life.world.weather.of(b.life.name, []fault{bucketTorn}, rng.Float64) == "" {
		return o.body, o.attrs, nil
	}
	b.life.world.tally.hit(bucketTorn)
	part := io.LimitReader(o.body, rng.Int64N(o.attrs.Size+1))
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(part, broken{}), o.body}, o.attrs, nil
}

// broken is the end of a connection that broke.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// mortalLedger is the ledger as a process meets it.
type mortalLedger struct {
	ledger.Ledger
	life *life
}

func consult[T any](ctx context.Context, m mortalLedger, op string, do func(context.Context) (T, error)) (T, error) {
	v, err := ask(ctx, m.life, ledgerFaults(), op, do)
	if errors.Is(err, ledger.ErrFenced) {
		m.life.world.tally.hit(sawFenced)
	}
	return v, err
}

// Claim implements ledger.Ledger.
func (m mortalLedger) Claim(ctx context.Context, p ledger.Partition, owner string) (ledger.Claim, error) {
	return consult(ctx, m, "claim", func(ctx context.Context) (ledger.Claim, error) { return m.Ledger.Claim(ctx, p, owner) })
}

// Commit implements ledger.Ledger.
func (m mortalLedger) Commit(ctx context.Context, f ledger.Flush, seal func(int64) ([]events.Event, error)) (ledger.Flush, error) {
	return consult(ctx, m, opCommit, func(ctx context.Context) (ledger.Flush, error) { return m.Ledger.Commit(ctx, f, seal) })
}

// Observe implements ledger.Ledger.
func (m mortalLedger) Observe(ctx context.Context, c ledger.Claim, through, event time.Time, caughtUp bool) error {
	_, err := consult(ctx, m, "observe", func(ctx context.Context) (struct{}, error) {
		return struct{}{}, m.Ledger.Observe(ctx, c, through, event, caughtUp)
	})
	return err
}

// History implements ledger.Ledger.
func (m mortalLedger) History(ctx context.Context) ([]ledger.PartitionState, error) {
	return consult(ctx, m, "history", m.Ledger.History)
}

// Flushes implements ledger.Ledger.
func (m mortalLedger) Flushes(ctx context.Context, p ledger.Partition, from int64, limit int) ([]ledger.Flush, error) {
	return consult(ctx, m, "flushes", func(ctx context.Context) ([]ledger.Flush, error) { return m.Ledger.Flushes(ctx, p, from, limit) })
}

// Files implements ledger.Ledger.
func (m mortalLedger) Files(ctx context.Context, q ledger.FileQuery) ([]ledger.LedgerFile, error) {
	return consult(ctx, m, "files", func(ctx context.Context) ([]ledger.LedgerFile, error) { return m.Ledger.Files(ctx, q) })
}

// Inventory implements ledger.Ledger.
func (m mortalLedger) Inventory(ctx context.Context, after string, limit int) ([]ledger.FileState, error) {
	return consult(ctx, m, "inventory", func(ctx context.Context) ([]ledger.FileState, error) { return m.Ledger.Inventory(ctx, after, limit) })
}

// Swap implements ledger.Ledger.
func (m mortalLedger) Swap(ctx context.Context, s ledger.Swap) (ledger.Swap, error) {
	return consult(ctx, m, opSwap, func(ctx context.Context) (ledger.Swap, error) { return m.Ledger.Swap(ctx, s) })
}

// Swaps implements ledger.Ledger.
func (m mortalLedger) Swaps(ctx context.Context, id uuid.UUID, from int64, limit int) ([]ledger.Swap, error) {
	return consult(ctx, m, "swaps", func(ctx context.Context) ([]ledger.Swap, error) { return m.Ledger.Swaps(ctx, id, from, limit) })
}
