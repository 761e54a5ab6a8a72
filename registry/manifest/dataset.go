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
	Partition int32      `json:"partition"` // Several for a file of more than one
	Start     int64      `json:"start"`     // offsets [start, end); of a file of several partitions the extremes
	End       int64      `json:"end"`
	Rows      int64      `json:"rows"`
	// Spans are the offsets of each partition of a file of several, sorted by partition; empty for a file of one.
	Spans []Span `json:"spans,omitempty"`
}

// Several stands for the partition of a source that has rows of more than one.
const Several = -1

// Span is offsets [start, end) of one partition.
type Span struct {
	Partition int32 `json:"partition"`
	Start     int64 `json:"start"`
	End       int64 `json:"end"`
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
		fs.Check(s.Start >= 0 && s.Start < s.End, at+"/end", "offsets [%d, %d) hold nothing", s.Start, s.End)
		fs.Check(s.Rows >= 0, at+"/rows", "is negative")
		checkSpans(&fs, at, s)
	}
	return fs.Join()
}

// checkSpans: what is said twice must be the same.
func checkSpans(fs *FaultList, at string, s Source) {
	if len(s.Spans) == 0 {
		fs.Check(s.Partition >= 0, at+"/partition", "is negative, and there are no spans")
		return
	}
	fs.Check(s.Partition == Several && len(s.Spans) > 1, at+"/spans", "are only of files of several partitions, which have partition %d", Several)
	start, end := s.Spans[0].Start, s.Spans[0].End
	for i, p := range s.Spans {
		at := at + "/spans/" + strconv.Itoa(i)
		fs.Check(p.Partition >= 0, at+"/partition", "is negative")
		fs.Check(i == 0 || s.Spans[i-1].Partition < p.Partition, at+"/partition", "spans are not sorted by partition, or it is there twice")
		fs.Check(p.Start >= 0 && p.Start < p.End, at+"/end", "offsets [%d, %d) hold nothing", p.Start, p.End)
		start, end = min(start, p.Start), max(end, p.End)
	}
	fs.Check(s.Start == start && s.End == end, at+"/spans", "span offsets [%d, %d), not [%d, %d)", start, end, s.Start, s.End)
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
