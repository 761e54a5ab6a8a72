package registry

import (
	"context"
	"errors"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

var (
	// ErrNotFound reports an object that does not exist.
	ErrNotFound = errors.New("not found")
	// ErrRunMoved reports a run that is no longer where a change expected it.
	ErrRunMoved = errors.New("run has moved on")
	// ErrTagMoved reports a tag that is no longer at the expected generation.
	ErrTagMoved = errors.New("tag has moved")
	// ErrBlobsMissing reports a package whose blobs are not all in the bucket. See MissingBlobs.
	ErrBlobsMissing = errors.New("blobs missing")
	// ErrSpecMoved reports a spec that is no longer at the expected generation.
	ErrSpecMoved = errors.New("spec has moved")
)

// Catalog is what the registry needs of a database: rows that move by compare-and-swap. Every mutating method writes
// the events that it is given to the outbox in the same transaction; a call that changes nothing writes none.
type Catalog interface {
	Runs
	Sweeps
	Packages
	Attestations
	Datasets
	Tags
	Specs
}

// Runs keeps training runs.
type Runs interface {
	// CreateRun inserts a run, or returns the one that has its key (then created is false). Its first transition enters
	// the history with it.
	CreateRun(ctx context.Context, r Run, evs ...events.Event) (run Run, created bool, err error)
	// ChangeRun moves a run and appends to its history: ErrRunMoved with the run as it stands if it is not where the
	// change expects it, ErrNotFound if there is none.
	ChangeRun(ctx context.Context, c RunChange, evs ...events.Event) (Run, error)
	// Run returns a run with its history.
	Run(ctx context.Context, id RunID) (Run, error)
	// ListRuns returns runs without history.
	ListRuns(ctx context.Context, f RunFilter) ([]Run, error)
}

// Packages keeps published packages and the blobs that they share.
type Packages interface {
	// LeaseBlobs registers blobs that a publisher is about to upload and keeps them from collection until then; a lease
	// never gets shorter. It returns them as asked for, in order.
	LeaseBlobs(ctx context.Context, blobs []cas.Descriptor, until time.Time) ([]Blob, error)
	// PutPackage makes a package visible and its blobs live, at once or not at all; created is false for a repeat.
	// ErrBlobsMissing if a blob was never leased, or its lease ran out and it was collected.
	PutPackage(ctx context.Context, p Package, evs ...events.Event) (created bool, err error)
	Package(ctx context.Context, id cas.Digest) (Package, error)
	ListPackages(ctx context.Context, f PackageFilter) ([]Package, error)
}

// Attestations keeps statements about digests.
type Attestations interface {
	// Attest adds a statement; created is false where the same statement stands already.
	Attest(ctx context.Context, a Attestation, evs ...events.Event) (created bool, err error)
	// ListAttestations returns what is said about subject, oldest first.
	ListAttestations(ctx context.Context, subject cas.Digest) ([]Attestation, error)
}

// Datasets keeps finished datasets.
type Datasets interface {
	// PutDataset adds a dataset; created is false where it stands already.
	PutDataset(ctx context.Context, d Dataset, evs ...events.Event) (created bool, err error)
	Dataset(ctx context.Context, id cas.Digest) (Dataset, error)
	ListDatasets(ctx context.Context, f DatasetFilter) ([]Dataset, error)
}

// Tags keeps the pointers that move.
type Tags interface {
	// MoveTag applies a move: ErrTagMoved with the current state if the tag is elsewhere, the zero state if there is
	// no tag. The Op of an earlier move of the tag returns the state that it made.
	MoveTag(ctx context.Context, m TagMove, evs ...events.Event) (TagState, error)
	Tag(ctx context.Context, t Tag) (TagState, error)
	ListTags(ctx context.Context) ([]TagState, error)
	// TagHistory returns every generation, oldest first: ErrNotFound if there is no tag.
	TagHistory(ctx context.Context, t Tag) ([]TagState, error)
}

// Specs keeps declared objects.
type Specs interface {
	// PutSpec stores a spec under its next generation, from 1; changed is false where the same digest stands already. If
	// that is not s.Generation, and s.Generation is not 0: ErrSpecMoved.
	PutSpec(ctx context.Context, s Spec, evs ...events.Event) (stored Spec, changed bool, err error)
	Spec(ctx context.Context, kind, name string) (Spec, error)
	// ListSpecs returns the specs of one kind, or of all with kind "", by kind and name.
	ListSpecs(ctx context.Context, kind string) ([]Spec, error)
	// SpecHistory returns every generation of a spec, oldest first: ErrNotFound if there is no spec.
	SpecHistory(ctx context.Context, kind, name string) ([]Spec, error)
}
