package icebergview

import (
	"strconv"

	"github.com/apache/iceberg-go"
	icebergio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
)

// seqOf is the step of the ledger that a snapshot shows; 0 of one that somebody else made.
func seqOf(s *table.Snapshot) int64 {
	if s == nil || s.Summary == nil {
		return 0
	}
	n, err := strconv.ParseInt(s.Summary.Properties[propSeq], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// contents returns the URLs of what a snapshot shows.
func contents(s *table.Snapshot, files icebergio.IO) (map[string]bool, error) {
	out := map[string]bool{}
	if s == nil {
		return out, nil
	}
	manifests, err := s.Manifests(files)
	if err != nil {
		return nil, err
	}
	for _, m := range manifests {
		if m.ManifestContent() != iceberg.ManifestContentData {
			continue
		}
		for e, err := range m.Entries(files, true) {
			if err != nil {
				return nil, err
			}
			out[e.DataFile().FilePath()] = true
		}
	}
	return out, nil
}

// count is how many files a snapshot shows, -1 if it does not say so.
func count(s *table.Snapshot) int {
	if s.Summary == nil {
		return -1
	}
	n, err := strconv.Atoi(s.Summary.Properties["total-data-files"])
	if err != nil {
		return -1
	}
	return n
}
