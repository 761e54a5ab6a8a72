package manifest

import (
	"slices"
	"strconv"
	"time"

	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/name"
)

// MediaDataset is the media type of a dataset's manifest.
const MediaDataset = "application/vnd.signalbox.dataset.v1+json"

// Dataset is the manifest of a training set: its parts, and everything they were made from. Its digest is the
// dataset's identity.
type Dataset struct {
	Name string `json:"name"`
	// Plan is the digest of {spec, compiler, window, sources}: known before the build, so a repeat is recognised.
	Plan      cas.Digest `json:"plan"`
	Spec      cas.Digest `json:"spec"`
	Compiler  string     `json:"compiler"` // of the spec to SQL, with version
	Start     time.Time  `json:"window_start"`
	End       time.Time  `json:"window_end"`
	Watermark time.Time  `json:"watermark"`
	Rows      int64      `json:"rows"`
	Columns   []Column   `json:"columns"`
	Label     string     `json:"label"`
	Parts     []Part     `json:"parts"`
	// Sources are the archive files that were read, sorted by key.
	Sources []Source `json:"sources"`
}

// Part is one Parquet file of a dataset.
type Part struct {
	Key    string     `json:"key"` // bucket key
	Digest cas.Digest `json:"sha256"`
	Bytes  int64      `json:"bytes"`
	Rows   int64      `json:"rows"`
}

// Source is an archive file that a dataset was built from.
type Source struct {
	Key       string     `json:"key"`
	Digest    cas.Digest `json:"sha256"`
	Topic     string     `json:"topic"`
	TopicID   string     `json:"topic_id"`
	Partition int32      `json:"partition"`
	Start     int64      `json:"start"` // offsets [start, end)
	End       int64      `json:"end"`
	Rows      int64      `json:"rows"`
}

// Encode returns the canonical bytes, whose digest is the dataset's identity. Times are written in UTC. Errors are
// ErrInvalid.
func (d Dataset) Encode() ([]byte, error) {
	d.Start, d.End, d.Watermark = d.Start.UTC(), d.End.UTC(), d.Watermark.UTC()
	d.Columns, d.Parts, d.Sources = present(d.Columns), present(d.Parts), present(d.Sources)
	if err := d.validate(); err != nil {
		return nil, err
	}
	return encode(d)
}

// DecodeDataset reads a dataset's manifest: strictly and only in its canonical form. Errors are ErrInvalid.
func DecodeDataset(b []byte) (Dataset, error) {
	var d Dataset
	err := decodeCanonical(b, &d, func() ([]byte, error) { return d.Encode() })
	if err != nil {
		return Dataset{}, err
	}
	return d, nil
}

func (d Dataset) validate() error {
	var fs FaultList
	if err := name.Check(d.Name); err != nil {
		fs.Add("/name", "%v", err)
	}
	fs.Check(!d.Plan.IsZero(), "/plan", "is missing")
	fs.Check(!d.Spec.IsZero(), "/spec", "is missing")
	fs.Check(d.Compiler != "", "/compiler", "is missing")
	fs.Check(d.Start.Before(d.End), "/window_end", "is not after the start")
	fs.Check(len(d.Columns) > 0, "/columns", "want at least one")
	checkColumns(&fs, "/columns", d.Columns, true)
	_, ok := find(d.Columns, d.Label)
	fs.Check(ok, "/label", "%.100q is no column", d.Label)
	fs.Check(len(d.Parts) > 0, "/parts", "want at least one")
	var rows int64
	keys := map[string]bool{}
	for i, p := range d.Parts {
		at := "/parts/" + strconv.Itoa(i)
		checkObject(&fs, at, p.Key, p.Digest)
		fs.Check(!keys[p.Key], at+"/key", "is there twice")
		keys[p.Key] = true
		fs.Check(p.Bytes > 0, at+"/bytes", "no Parquet file is empty")
		fs.Check(p.Rows >= 0, at+"/rows", "is negative")
		rows += p.Rows
	}
	fs.Check(d.Rows == rows, "/rows", "the parts have %d", rows)
	for i, s := range d.Sources {
		at := "/sources/" + strconv.Itoa(i)
		checkObject(&fs, at, s.Key, s.Digest)
		fs.Check(i == 0 || d.Sources[i-1].Key < s.Key, at+"/key", "sources are not sorted by key, or it is there twice")
		fs.Check(s.Topic != "", at+"/topic", "is missing")
		fs.Check(s.Partition >= 0, at+"/partition", "is negative")
		fs.Check(s.Start >= 0 && s.Start < s.End, at+"/end", "offsets [%d, %d) hold nothing", s.Start, s.End)
		fs.Check(s.Rows >= 0, at+"/rows", "is negative")
	}
	return fs.Join()
}

func checkObject(fs *FaultList, at, key string, d cas.Digest) {
	if err := CheckPath(key); err != nil {
		fs.Add(at+"/key", "%v", err)
	}
	fs.Check(!d.IsZero(), at+"/sha256", "is missing")
}

// present makes an empty list of nothing, so that it is written [] and not null.
func present[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return slices.Clone(s)
}
