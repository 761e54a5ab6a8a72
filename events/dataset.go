package events

import "time"

// TypeDatasetReady says that a dataset is complete, immutable and can be trained on. Subject: the dataset's name.
// Any generator may publish it.
const TypeDatasetReady = "dev.signalbox.dataset.ready"

// DatasetReady is the data of TypeDatasetReady.
type DatasetReady struct {
	Name       string    `json:"name"`
	Dataset    string    `json:"dataset"`  // digest of the manifest
	Manifest   string    `json:"manifest"` // bucket key of the manifest
	Rows       int64     `json:"rows"`
	Start      time.Time `json:"window_start"` // event time, [start, end)
	End        time.Time `json:"window_end"`
	Watermark  time.Time `json:"watermark"`
	SpecDigest string    `json:"spec_digest"`
	Generator  string    `json:"generator"` // who built it, with version
}
