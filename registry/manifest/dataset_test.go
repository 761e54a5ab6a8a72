package manifest

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

func validDataset() Dataset {
	start := time.Date(2026, 1, 1, 1, 0, 0, 0, time.FixedZone("", 3600))
	return Dataset{
		Name: "flights", Plan: cas.Sum([]byte("plan")), Spec: cas.Sum([]byte("spec")), Compiler: "duckdb/1",
		Start: start, End: start.Add(time.Hour), Watermark: start.Add(2 * time.Hour), Rows: 3,
		Columns: []Column{{Name: "at", Type: Timestamp}, {Name: "late", Type: Boolean}}, Label: "late",
		Parts: []Part{{Key: "datasets/flights/p/part-0.parquet", Digest: cas.Sum([]byte("0")), Bytes: 9, Rows: 1},
			{Key: "datasets/flights/p/part-1.parquet", Digest: cas.Sum([]byte("1")), Bytes: 9, Rows: 2}},
		Sources: []Source{{Key: "archive/a", Digest: cas.Sum([]byte("a")), Topic: "events.flights", Start: 0, End: 10, Rows: 10},
			{Key: "archive/b", Digest: cas.Sum([]byte("b")), Topic: "events.flights", Start: 10, End: 12, Rows: 1}},
	}
}

func TestDatasetRoundTrip(t *testing.T) {
	d := validDataset()
	b, err := d.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), `"window_start":"2026-01-01T00:00:00Z"`) {
		t.Errorf("times are not in UTC: %s", b)
	}
	got, err := DecodeDataset(b)
	if err != nil {
		t.Fatal(err)
	}
	again, err := got.Encode()
	if err != nil || !bytes.Equal(again, b) {
		t.Errorf("encoded again = %s, %v, want %s", again, err, b)
	}
	local := bytes.Replace(b, []byte("2026-01-01T00:00:00Z"), []byte("2026-01-01T01:00:00+01:00"), 1)
	if _, err := DecodeDataset(local); !errors.Is(err, ErrInvalid) {
		t.Errorf("another spelling of the same instant: %v, want ErrInvalid", err)
	}
	d.Sources = nil // built by somebody else, from somewhere else
	if b, err = d.Encode(); err != nil || !strings.Contains(string(b), `"sources":[]`) {
		t.Errorf("no sources = %s, %v", b, err)
	}
}

// merged is a source of two partitions.
func merged(start int64) Source {
	return Source{
		Key: "archive/a", Digest: cas.Sum([]byte("a")), Topic: "events.flights", Partition: Several, Start: start, End: 9, Rows: 10,
		Spans: []Span{{Partition: 0, Start: start, End: 7}, {Partition: 3, Start: 5, End: 9}},
	}
}

// TestSpans: sources of one partition are written as ever, since digests are of bytes; those of several say which offsets.
func TestSpans(t *testing.T) {
	d := validDataset()
	if b, err := d.Encode(); err != nil || strings.Contains(string(b), "spans") {
		t.Errorf("%s, %v", b, err)
	}
	d.Sources[0] = merged(2)
	b, err := d.Encode()
	if err != nil || !strings.Contains(string(b), `"spans":[{"end":7,"partition":0,"start":2},{"end":9,"partition":3,"start":5}]`) {
		t.Fatalf("%s, %v", b, err)
	}
	if got, err := DecodeDataset(b); err != nil || len(got.Sources[0].Spans) != 2 {
		t.Errorf("%+v, %v", got.Sources, err)
	}
}

func TestDatasetRefused(t *testing.T) {
	for _, tc := range []struct {
		at     string
		change func(*Dataset)
	}{
		{"/name", func(d *Dataset) { d.Name = "Flights" }},
		{"/plan", func(d *Dataset) { d.Plan = cas.Digest{} }},
		{"/spec", func(d *Dataset) { d.Spec = cas.Digest{} }},
		{"/compiler", func(d *Dataset) { d.Compiler = "" }},
		{"/window_end", func(d *Dataset) { d.End = d.Start }},
		{"/rows", func(d *Dataset) { d.Rows = 4 }},
		{"/label", func(d *Dataset) { d.Label = "early" }},
		{"/columns/1/name", func(d *Dataset) { d.Columns[1].Name, d.Label = "at", "at" }},
		{"/parts", func(d *Dataset) { d.Parts, d.Rows = nil, 0 }},
		{"/parts/1/key", func(d *Dataset) { d.Parts[1].Key = d.Parts[0].Key }},
		{"/parts/0/key", func(d *Dataset) { d.Parts[0].Key = "../x" }},
		{"/parts/0/sha256", func(d *Dataset) { d.Parts[0].Digest = cas.Digest{} }},
		{"/parts/0/bytes", func(d *Dataset) { d.Parts[0].Bytes = 0 }},
		{"/sources/1/key", func(d *Dataset) { d.Sources[0], d.Sources[1] = d.Sources[1], d.Sources[0] }},
		{"/sources/0/end", func(d *Dataset) { d.Sources[0].End = 0 }},
		{"/sources/0/partition", func(d *Dataset) { d.Sources[0].Partition = Several }},
		{"/sources/0/spans", func(d *Dataset) { d.Sources[0] = merged(0); d.Sources[0].Partition = 0 }},
		{"/sources/0/spans", func(d *Dataset) { d.Sources[0] = merged(0); d.Sources[0].End-- }},
		{"/sources/0/spans", func(d *Dataset) {
			d.Sources[0] = merged(0)
			d.Sources[0].Spans, d.Sources[0].Start = d.Sources[0].Spans[1:], 5
		}},
		{"/sources/0/spans/1/partition", func(d *Dataset) { d.Sources[0] = merged(0); d.Sources[0].Spans[1].Partition = 0 }},
		{"/sources/0/spans/1/end", func(d *Dataset) { d.Sources[0] = merged(0); d.Sources[0].Spans[1].Start = 9 }},
	} {
		d := validDataset()
		tc.change(&d)
		_, err := d.Encode()
		var f *Fault
		if !errors.As(err, &f) || f.Path != tc.at {
			t.Errorf("%v, want a fault at %s", err, tc.at)
		}
	}
}

func validEvaluation() Evaluation {
	return Evaluation{
		Model: "delay", Package: cas.Sum([]byte("p")), RunID: "9081e64f-b2c0-455e-bcaa-c1c211fa124b", Tag: "delay/production",
		Champion: cas.Sum([]byte("c")), Generation: 4, Holdout: cas.Sum([]byte("h")), Rows: 10,
		Metrics:  map[string]map[string]float64{"candidate": {"auc": 0.75}},
		Slices:   []events.Slice{{Column: "carrier", Value: "AA", Rows: 3, Metrics: map[string]map[string]float64{"candidate": {}}}},
		Policy:   map[string]any{"metric": "auc"},
		Decision: Promote, Reasons: []string{"better"},
	}
}

func TestEvaluation(t *testing.T) {
	b, err := validEvaluation().Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeEvaluation(b)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := got.Encode(); err != nil || !bytes.Equal(again, b) {
		t.Errorf("encoded again = %s, %v, want %s", again, err, b)
	}
	for _, tc := range []struct {
		at     string
		change func(*Evaluation)
	}{
		{"/model", func(e *Evaluation) { e.Model, e.Tag = "", "/production" }},
		{"/tag", func(e *Evaluation) { e.Tag = "other/production" }},
		{"/package", func(e *Evaluation) { e.Package = cas.Digest{} }},
		{"/run_id", func(e *Evaluation) { e.RunID = "" }},
		{"/holdout", func(e *Evaluation) { e.Holdout = cas.Digest{} }},
		{"/champion", func(e *Evaluation) { e.Champion = cas.Digest{} }},
		{"/champion", func(e *Evaluation) { e.Generation = 0 }},
		{"/metrics/candidate/auc", func(e *Evaluation) { e.Metrics["candidate"]["auc"] = math.NaN() }},
		{"/slices/carrier=AA/candidate/auc", func(e *Evaluation) { e.Slices[0].Metrics["candidate"]["auc"] = math.Inf(1) }},
		{"/decision", func(e *Evaluation) { e.Decision = "maybe" }},
		{"/reasons", func(e *Evaluation) { e.Reasons = nil }},
	} {
		e := validEvaluation()
		tc.change(&e)
		_, err := e.Encode()
		var f *Fault
		if !errors.As(err, &f) || f.Path != tc.at {
			t.Errorf("%v, want a fault at %s", err, tc.at)
		}
	}
}

func FuzzDecodeDataset(f *testing.F) {
	b, err := validDataset().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := DecodeDataset(b)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("%v is no ErrInvalid", err)
			}
			return
		}
		if again, err := d.Encode(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%q was accepted, but encodes as %q, %v", b, again, err)
		}
	})
}

func FuzzDecodeEvaluation(f *testing.F) {
	b, err := validEvaluation().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := DecodeEvaluation(b)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("%v is no ErrInvalid", err)
			}
			return
		}
		if again, err := e.Encode(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%q was accepted, but encodes as %q, %v", b, again, err)
		}
	})
}
