package registry

import (
	"time"

	"github.com/signalbox-ml/signalbox/registry/cas"
)

// Dataset is an immutable training set: a manifest in the bucket, found by its digest.
type Dataset struct {
	ID        cas.Digest `json:"id"` // digest of the manifest
	Name      string     `json:"name"`
	Manifest  []byte     `json:"-"`
	Key       string     `json:"manifest"`    // bucket key of the manifest
	Plan      cas.Digest `json:"plan"`        // identity of the inputs, known before the build
	Spec      cas.Digest `json:"spec_digest"` // of the Dataset spec it was built by
	Rows      int64      `json:"rows"`
	Start     time.Time  `json:"window_start"` // event time, [start, end)
	End       time.Time  `json:"window_end"`
	Watermark time.Time  `json:"watermark"`
	Created   time.Time  `json:"created_at"`
}

// DatasetFilter selects datasets, newest first.
type DatasetFilter struct {
	Name  string
	Plan  cas.Digest // only the one built from these inputs
	Limit int        // 0: 100
}
