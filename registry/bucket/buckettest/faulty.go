package buckettest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"

	"github.com/signalbox-ml/signalbox/registry/bucket"
)

// Op names a verb of a bucket.
type Op string

// The verbs.
const (
	Get    Op = "get"
	Stat   Op = "stat"
	List   Op = "list"
	Put    Op = "put"
	Delete Op = "delete"
)

// Fault is one scripted failure. It fits the calls of Op on keys with Prefix, lets Skip of them pass, spoils the next
// Times, and is spent.
type Fault struct {
	// Op is the verb; empty fits every one.
	Op Op
	// Prefix is what the key, or the prefix of a List, starts with.
	Prefix string
	// Skip is the number of fitting calls that pass before.
	Skip int
	// Times is the number of calls to spoil; 0 means 1, -1 means all.
	Times int
	// Err is what a spoiled call returns.
	Err error
	// After lets the call have its effect before it fails: a lost answer. A Get then fails half-way through the body, a
	// List after its first object.
	After bool
	// Mangle, on a Get without Err, replaces the bytes that the caller reads. Attrs stay those of the stored object.
	Mangle func(body []byte) []byte
}

// Call is one request that a Faulty bucket got.
type Call struct {
	Op  Op
	Key string // or the prefix of a List
	Err error  // what it returned; nil for a List
}

// Faulty is a bucket that fails as it is told, over one that works. It is safe for concurrent use.
type Faulty struct {
	inner  bucket.Bucket
	mu     sync.Mutex
	faults []*Fault
	calls  []Call
}

// NewFaulty returns a bucket that passes calls on to b but for those that a fault fits. Of several fitting faults the
// first counts the call.
func NewFaulty(b bucket.Bucket, faults ...Fault) *Faulty {
	f := &Faulty{inner: b}
	f.Inject(faults...)
	return f
}

// Inject adds faults behind those that are not spent.
func (f *Faulty) Inject(faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fault := range faults {
		if fault.Times == 0 {
			fault.Times = 1
		}
		f.faults = append(f.faults, &fault)
	}
}

// Calls returns the calls so far, in the order of their ends.
func (f *Faulty) Calls() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// Get implements bucket.Bucket.
func (f *Faulty) Get(ctx context.Context, key string, r bucket.Range) (io.ReadCloser, bucket.Attrs, error) {
	fault := f.next(Get, key)
	if fault.Err != nil && !fault.After {
		return nil, bucket.Attrs{}, f.did(Get, key, fault.Err)
	}
	body, a, err := f.inner.Get(ctx, key, r)
	if err != nil || (fault.Err == nil && fault.Mangle == nil) {
		return body, a, f.did(Get, key, err)
	}
	data, err := io.ReadAll(body)
	if err = errors.Join(err, body.Close()); err != nil {
		return nil, bucket.Attrs{}, f.did(Get, key, err)
	}
	f.did(Get, key, nil)
	if fault.Err != nil {
		return io.NopCloser(io.MultiReader(bytes.NewReader(data[:len(data)/2]), broken{fault.Err})), a, nil
	}
	return io.NopCloser(bytes.NewReader(fault.Mangle(data))), a, nil
}

// Stat implements bucket.Bucket.
func (f *Faulty) Stat(ctx context.Context, key string) (bucket.Attrs, error) {
	if fault := f.next(Stat, key); fault.Err != nil {
		return bucket.Attrs{}, f.did(Stat, key, fault.Err)
	}
	a, err := f.inner.Stat(ctx, key)
	return a, f.did(Stat, key, err)
}

// List implements bucket.Bucket.
func (f *Faulty) List(ctx context.Context, prefix string) iter.Seq2[bucket.Attrs, error] {
	return func(yield func(bucket.Attrs, error) bool) {
		fault := f.next(List, prefix)
		f.did(List, prefix, nil)
		if fault.Err != nil && !fault.After {
			yield(bucket.Attrs{}, fault.Err)
			return
		}
		for a, err := range f.inner.List(ctx, prefix) {
			if !yield(a, err) {
				return
			}
			if fault.Err != nil {
				yield(bucket.Attrs{}, fault.Err)
				return
			}
		}
	}
}

// Put implements bucket.Bucket.
func (f *Faulty) Put(ctx context.Context, key string, body io.ReadSeeker, size int64, o bucket.PutOptions) (bucket.Attrs, error) {
	fault := f.next(Put, key)
	if fault.Err != nil && !fault.After {
		return bucket.Attrs{}, f.did(Put, key, fault.Err)
	}
	a, err := f.inner.Put(ctx, key, body, size, o)
	if fault.Err != nil {
		return bucket.Attrs{}, f.did(Put, key, fault.Err)
	}
	return a, f.did(Put, key, err)
}

// Delete implements bucket.Bucket.
func (f *Faulty) Delete(ctx context.Context, key string) error {
	fault := f.next(Delete, key)
	if fault.Err != nil && !fault.After {
		return f.did(Delete, key, fault.Err)
	}
	err := f.inner.Delete(ctx, key)
	if fault.Err != nil {
		err = fault.Err
	}
	return f.did(Delete, key, err)
}

// next returns the fault for this call; the zero Fault spoils nothing.
func (f *Faulty) next(op Op, key string) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fault := range f.faults {
		if (fault.Op != "" && fault.Op != op) || !strings.HasPrefix(key, fault.Prefix) || fault.Times == 0 {
			continue
		}
		if fault.Skip > 0 {
			fault.Skip--
			return Fault{}
		}
		if fault.Times > 0 {
			fault.Times--
		}
		return *fault
	}
	return Fault{}
}

func (f *Faulty) did(op Op, key string, err error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, Call{Op: op, Key: key, Err: err})
	return err
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }
