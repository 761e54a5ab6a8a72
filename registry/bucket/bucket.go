// Package bucket is the object-store contract: five verbs over immutable objects. Backends are s3bucket (any
// S3-compatible server) and membucket (tests); buckettest holds the suite that both pass.
package bucket

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

var (
	// ErrNotFound reports a key that does not exist.
	ErrNotFound = errors.New("object not found")
	// ErrExists reports a create-only Put on a key that exists already.
	ErrExists = errors.New("object exists")
	// ErrChecksum reports bytes that do not hash to the promised SHA-256; nothing was stored.
	ErrChecksum = errors.New("checksum mismatch")
	// ErrBadRange reports a range that starts at or past the end of the object.
	ErrBadRange = errors.New("range outside the object")
)

// Attrs describes a stored object.
type Attrs struct {
	Key      string
	Size     int64 // bytes
	SHA256   [32]byte
	Modified time.Time
}

// Range selects bytes [Offset, Offset+Length); Length 0 means to the end. The zero Range is the whole object.
type Range struct{ Offset, Length int64 }

// PutOptions guard a write.
type PutOptions struct {
	// CreateOnly refuses to replace: ErrExists if the key exists.
	CreateOnly bool
	// SHA256 is what the body must hash to; the store checks it. The zero value asks for no check.
	SHA256 [32]byte
	// ContentType is stored beside the object; empty means application/octet-stream.
	ContentType string
}

// Bucket stores objects under keys. A key never is the parent path of another key (some servers map keys to files).
// Attrs.SHA256 is zero where a backend does not know it (List never does).
type Bucket interface {
	// Get opens an object, or a range of it. The caller closes the reader.
	Get(ctx context.Context, key string, r Range) (io.ReadCloser, Attrs, error)
	// Stat describes an object.
	Stat(ctx context.Context, key string) (Attrs, error)
	// List yields the objects under prefix in key order, until the first error.
	List(ctx context.Context, prefix string) iter.Seq2[Attrs, error]
	// Put stores size bytes of body. A body that is shorter or longer is an error and stores nothing.
	Put(ctx context.Context, key string, body io.ReadSeeker, size int64, o PutOptions) (Attrs, error)
	// Delete removes an object; one that does not exist is no error.
	Delete(ctx context.Context, key string) error
}

// Signed is a request that a holder may send without credentials until it expires. Every header must be sent as given.
type Signed struct {
	Method  string              `json:"method"`
	URL     string              `json:"url"`
	Header  map[string][]string `json:"header,omitempty"`
	Expires time.Time           `json:"expires"`
}

// Signer is the optional power of a Bucket to hand out requests for one object.
type Signer interface {
	// SignGet signs a read of key.
	SignGet(ctx context.Context, key string, ttl time.Duration) (Signed, error)
	// SignPut signs a create-only write of exactly size bytes that hash to sum; the store enforces all three.
	SignPut(ctx context.Context, key string, sum [32]byte, size int64, ttl time.Duration) (Signed, error)
}
