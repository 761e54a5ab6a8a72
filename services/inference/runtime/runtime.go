// Package runtime is the contract of model engines: load a verified package directory, predict batches.
package runtime

import (
	"context"
	"errors"

	"github.com/signalbox-ml/signalbox/registry/manifest"
)

var (
	// ErrUnsupported reports a package that an engine cannot reproduce exactly.
	ErrUnsupported = errors.New("model not supported by this engine")
	// ErrOverloaded reports that the engine's queue is full: try again later.
	ErrOverloaded = errors.New("engine overloaded")
	// ErrWidth reports a batch that has not the columns of the signature.
	ErrWidth = errors.New("batch does not match the signature")
	// ErrClosed reports a model that was closed.
	ErrClosed = errors.New("model closed")
	// ErrModel reports that the package's own code failed on these rows; asking again will not help.
	ErrModel = errors.New("model failed on these rows")
)

// Runtime turns a package into a Model. dir holds the package's files, already verified against the manifest.
type Runtime interface {
	Load(ctx context.Context, dir string, sig manifest.Signature) (Model, error)
}

// Model predicts. It is safe for concurrent use; Close waits for the predictions under way.
type Model interface {
	// Predict returns one row of outputs for each row of in, in order.
	Predict(ctx context.Context, in Batch) (Batch, error)
	Close() error
}
