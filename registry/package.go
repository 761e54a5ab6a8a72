package registry

import (
	"encoding/json"
	"time"

	"github.com/signalbox-ml/signalbox/registry/cas"
)

// Package is a published model package: the exact manifest bytes, found by their digest.
type Package struct {
	ID       cas.Digest `json:"id"`
	Manifest []byte     `json:"-"`
	Model    ModelName  `json:"model"` // of the first publisher; not part of the identity
	Format   string     `json:"format"`
	Size     int64      `json:"size"` // bytes of all layers
	Created  time.Time  `json:"created_at"`
	// Blobs are the config and the layers.
	Blobs []cas.Descriptor `json:"blobs"`
}

// PackageFilter selects packages, newest first.
type PackageFilter struct {
	Model ModelName
	Limit int // 0: 100
}

// Attestation is a statement about a digest, kept beside it and never part of it: provenance, evaluation, approval.
type Attestation struct {
	Subject cas.Digest      `json:"subject"`
	Type    string          `json:"type"`
	ID      cas.Digest      `json:"id"` // of Body; stating the same twice is one statement
	Body    json.RawMessage `json:"body"`
	Created time.Time       `json:"created_at"`
}

// Types of attestations.
const (
	AttestProvenance = "provenance"
	AttestEvaluation = "evaluation"
)

// Blob is what the catalog knows of a blob in the bucket.
type Blob struct {
	cas.Descriptor
	// Incarnation is part of the bucket key, so that a late deletion of an earlier life cannot hit this one.
	Incarnation int
	// Live says that some published package needs it, so it certainly exists.
	Live bool
	// LeasedUntil keeps collection away from a blob that is being uploaded.
	LeasedUntil time.Time
}
