package probe

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/signalbox-ml/signalbox/registry/bucket"
)

const (
	remedyChecksum = "the server ignores x-amz-checksum-sha256, so stored bytes cannot be trusted: upgrade or replace it"
	remedyCreate   = "the server ignores If-None-Match on writes, so objects can be overwritten: upgrade or replace it"
	remedyRace     = "the server checks If-None-Match without a lock: replace it, or run one node of it"
	remedyRange    = "the server does not serve byte ranges: remove proxies that strip the Range header, or replace it"
)

func checksOfBucket() []check {
	return []check{
		{"wrong checksum is refused", remedyChecksum, (*run).wrongChecksum},
		{"checksum is kept", remedyChecksum, (*run).checksumKept},
		{"create-only is refused twice", remedyCreate, (*run).createOnly},
		{"create-only has one winner", remedyRace, (*run).race},
		{"ranges", remedyRange, (*run).ranges},
	}
}

func (r *run) wrongChecksum(ctx context.Context) (string, error) {
	_, err := r.put(ctx, "checksum/wrong", "these bytes", bucket.PutOptions{SHA256: sum("other bytes")})
	if err == nil {
		return "", errors.New("bytes were stored under the checksum of others")
	}
	if !errors.Is(err, bucket.ErrChecksum) {
		return "", fmt.Errorf("want a checksum error: %w", err)
	}
	return "refused, nothing stored", r.absent(ctx, "checksum/wrong")
}

func (r *run) checksumKept(ctx context.Context) (string, error) {
	const body = "these bytes"
	if _, err := r.put(ctx, "checksum/right", body, bucket.PutOptions{SHA256: sum(body)}); err != nil {
		return "", err
	}
	a, err := r.bucket.Stat(ctx, r.dir+"checksum/right")
	if err != nil {
		return "", err
	}
	if a.SHA256 != sum(body) || a.Size != int64(len(body)) {
		return "", fmt.Errorf("stat tells %d bytes with SHA-256 %x, want %d with %x", a.Size, a.SHA256, len(body), sum(body))
	}
	return "stat returns the SHA-256", nil
}

func (r *run) createOnly(ctx context.Context) (string, error) {
	if _, err := r.put(ctx, "create", "first", bucket.PutOptions{CreateOnly: true}); err != nil {
		return "", err
	}
	for _, body := range []string{"second", "third"} {
		if _, err := r.put(ctx, "create", body, bucket.PutOptions{CreateOnly: true}); !errors.Is(err, bucket.ErrExists) {
			return "", fmt.Errorf("the %s write got %v, want %w", body, err, bucket.ErrExists)
		}
	}
	return "refused, first bytes kept", r.holds(ctx, "create", "first", bucket.Range{})
}

// race lets writers with different bytes go for the same key at the same moment, key after key.
func (r *run) race(ctx context.Context) (string, error) {
	for k := range r.cfg.Keys {
		if err := r.raceFor(ctx, fmt.Sprintf("race/%d", k)); err != nil {
			return "", fmt.Errorf("key %d of %d: %w", k+1, r.cfg.Keys, err)
		}
	}
	return fmt.Sprintf("%d writers on %d keys: one winner each", r.cfg.Writers, r.cfg.Keys), nil
}

func (r *run) raceFor(ctx context.Context, name string) error {
	errs := make([]error, r.cfg.Writers)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for w := range errs {
		wg.Go(func() {
			<-start
			_, errs[w] = r.put(ctx, name, writerBody(w), bucket.PutOptions{CreateOnly: true, SHA256: sum(writerBody(w))})
		})
	}
	close(start)
	wg.Wait()
	winner, winners := -1, 0
	for w, err := range errs {
		switch {
		case err == nil:
			winner, winners = w, winners+1
		case !errors.Is(err, bucket.ErrExists):
			return fmt.Errorf("a writer got %w, want %w", err, bucket.ErrExists)
		}
	}
	if winners != 1 {
		return fmt.Errorf("%d of %d writers were told that they created the object", winners, len(errs))
	}
	return r.holds(ctx, name, writerBody(winner), bucket.Range{})
}

func writerBody(w int) string { return strings.Repeat(fmt.Sprintf("writer %02d,", w), 200) }

func (r *run) ranges(ctx context.Context) (string, error) {
	if _, err := r.put(ctx, "range", "0123456789", bucket.PutOptions{}); err != nil {
		return "", err
	}
	for want, rg := range map[string]bucket.Range{
		"234": {Offset: 2, Length: 3}, "6789": {Offset: 6}, "89": {Offset: 8, Length: 100}, "0123456789": {},
	} {
		if err := r.holds(ctx, "range", want, rg); err != nil {
			return "", err
		}
	}
	if _, _, err := r.bucket.Get(ctx, r.dir+"range", bucket.Range{Offset: 10}); !errors.Is(err, bucket.ErrBadRange) {
		return "", fmt.Errorf("a range past the end got %v, want %w", err, bucket.ErrBadRange)
	}
	return "first, middle and last bytes", nil
}

func (r *run) put(ctx context.Context, name, body string, o bucket.PutOptions) (bucket.Attrs, error) {
	return r.bucket.Put(ctx, r.dir+name, strings.NewReader(body), int64(len(body)), o)
}

// holds is nil if a range of an object is want.
func (r *run) holds(ctx context.Context, name, want string, rg bucket.Range) error {
	body, _, err := r.bucket.Get(ctx, r.dir+name, rg)
	if err != nil {
		return err
	}
	got, err := io.ReadAll(io.LimitReader(body, 1<<20))
	if err = errors.Join(err, body.Close()); err != nil {
		return err
	}
	if string(got) != want {
		return fmt.Errorf("%s holds %.40q, want %.40q", name, got, want)
	}
	return nil
}

// absent is nil if nothing is stored under name.
func (r *run) absent(ctx context.Context, name string) error {
	if _, err := r.bucket.Stat(ctx, r.dir+name); !errors.Is(err, bucket.ErrNotFound) {
		return fmt.Errorf("%s was refused and is stored nevertheless (stat: %v)", name, err)
	}
	return nil
}

func sum(s string) [32]byte { return sha256.Sum256([]byte(s)) }
