// Package spec reads what users declare: streams, datasets, workflows and models, as YAML documents of
// apiVersion signalbox.dev/v1. A body is stored as canonical JSON and found by its digest.
package spec

import (
	"encoding/json"
	"errors"

	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/name"
)

// APIVersion is the only version there is.
const APIVersion = "signalbox.dev/v1"

// Kinds of documents.
const (
	KindStream   = "Stream"
	KindDataset  = "Dataset"
	KindWorkflow = "Workflow"
	KindModel    = "Model"
)

// MaxBody is the size of the largest body of a document, in bytes.
const MaxBody = 2 << 20

// ErrInvalid reports a document that breaks the rules. The text says where and is safe to show.
var ErrInvalid = manifest.ErrInvalid

// Document is one YAML document after parsing.
type Document struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"`
	Metadata   Metadata        `json:"metadata"`
	Spec       json.RawMessage `json:"spec"`
}

// Metadata names a document.
type Metadata struct {
	Name string `json:"name"`
}

// Body is one of the kinds of documents.
type Body interface {
	Stream | Dataset | Workflow | Model
}

// Read reads the body of a document, strictly. It does not judge it: see Validate.
func Read[T Body](body json.RawMessage) (T, error) {
	var v T
	err := manifest.Decode(body, MaxBody, &v)
	return v, err
}

// Decode reads d's body as its kind says: a *Stream, *Dataset, *Workflow or *Model. It does not judge it: see Check.
func Decode(d Document) (any, error) {
	switch d.Kind {
	case KindStream:
		return point(Read[Stream](d.Spec))
	case KindDataset:
		return point(Read[Dataset](d.Spec))
	case KindWorkflow:
		return point(Read[Workflow](d.Spec))
	case KindModel:
		return point(Read[Model](d.Spec))
	}
	return nil, &manifest.Fault{Path: "/kind", Problem: "want Stream, Dataset, Workflow or Model"}
}

func point[T any](v T, err error) (any, error) { return &v, err }

// Check judges a document as a server must before it stores it, and returns its body. Every fault is in the error, with
// the JSON pointer of the member.
func Check(d Document) (any, error) { return check(d, true) }

// check takes workflow files that are still to be read where complete is false.
func check(d Document, complete bool) (any, error) {
	var fs manifest.FaultList
	fs.Check(d.APIVersion == APIVersion, "/apiVersion", "want %s", APIVersion)
	if err := name.Check(d.Metadata.Name); err != nil {
		fs.Add("/metadata/name", "%v", err)
	}
	v, err := Decode(d)
	if err == nil {
		switch v := v.(type) {
		case *Stream:
			err = v.Validate()
		case *Dataset:
			err = v.Validate()
		case *Workflow:
			err = v.validate(complete)
		case *Model:
			err = v.Validate()
		}
	}
	for _, f := range manifest.Faults(err) {
		if f.Path != "/kind" {
			f = &manifest.Fault{Path: "/spec" + f.Path, Problem: f.Problem}
		}
		fs = append(fs, f)
	}
	return v, errors.Join(fs...)
}

// Canonical returns d's body as it is stored, and its digest.
func Canonical(d Document) (json.RawMessage, cas.Digest, error) {
	b, err := manifest.Canonical(d.Spec)
	if err != nil {
		return nil, cas.Digest{}, err
	}
	return b, cas.Sum(b), nil
}
