package registryapi

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/spec"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// refuse makes a 422 of everything that is wrong with a request, and a 409 of a package that lacks blobs. Other errors
// stay as they are.
func refuse(err error) error {
	var missing *registry.MissingBlobs
	switch {
	case errors.As(err, &missing):
		return blobsMissing(missing.Digests)
	case errors.Is(err, registry.ErrBlobsMissing):
		return blobsMissing(nil)
	case errors.Is(err, registry.ErrInvalid):
		return httpapi.Invalid(err)
	}
	return err
}

func blobsMissing(digests []cas.Digest) error {
	return httpapi.Fault(http.StatusConflict, "blobs_missing", "blobs of the package are not in the bucket: upload them and publish again").
		With("missing", present(digests))
}

// invalidDocuments is a 422 of the faults fs and of those that err has of docs.
func invalidDocuments(fs manifest.FaultList, err error, docs []spec.Document) error {
	documentFaults(&fs, err, docs)
	return httpapi.Invalid(cmp.Or(fs.Join(), err))
}

// documentFaults adds what is wrong with documents, with pointers into the body that brought them.
func documentFaults(fs *manifest.FaultList, err error, docs []spec.Document) {
	var doc *registry.DocumentError
	switch e := err.(type) { //nolint:errorlint // joined errors are walked one by one
	case nil:
		return
	case *registry.DocumentError:
		doc = e
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			documentFaults(fs, one, docs)
		}
		return
	default:
		documentFaults(fs, errors.Unwrap(err), docs)
		return
	}
	at, prefix := pointerTo(doc, docs)
	if at != "" {
		fs.Nested(at, doc.Err)
		return
	}
	for _, f := range manifest.Faults(doc.Err) { // a document that was applied earlier: nothing in this body to point at
		fs.Add("", "%s%s", prefix, f.Error())
	}
}

// pointerTo finds the document that e names; of two with one name it is the later one, which is the one too many.
func pointerTo(e *registry.DocumentError, docs []spec.Document) (at, prefix string) {
	for i, d := range slices.Backward(docs) {
		if d.Kind == e.Kind && d.Metadata.Name == e.Name {
			return documentAt(i), ""
		}
	}
	return "", clip(e.Kind) + " " + clip(e.Name) + ": "
}

func documentAt(i int) string { return "/documents/" + strconv.Itoa(i) }
