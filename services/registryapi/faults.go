package registryapi

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/spec"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// maxFaults bounds how much of what is wrong one answer says.
const maxFaults = 100

// fault is one thing wrong with a request, as a client sees it.
type fault struct {
	Pointer string `json:"pointer"` // JSON pointer into the body
	Detail  string `json:"detail"`
}

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
		var list []fault
		for _, f := range manifest.Faults(err) {
			list = append(list, fault{Pointer: f.Path, Detail: f.Problem})
		}
		return invalid(list, err)
	}
	return err
}

func blobsMissing(digests []cas.Digest) error {
	return httpapi.Fault(http.StatusConflict, "blobs_missing", "blobs of the package are not in the bucket: upload them and publish again").
		With("missing", present(digests))
}

// invalid is a 422 that lists faults, by pointer. Where there are none it shows err, which must be an ErrInvalid.
func invalid(list []fault, err error) error {
	if len(list) == 0 && err != nil {
		list = append(list, fault{Detail: err.Error()})
	}
	slices.SortStableFunc(list, func(a, b fault) int { return cmp.Compare(a.Pointer, b.Pointer) })
	list = list[:min(len(list), maxFaults)]
	words := make([]string, len(list))
	for i, f := range list {
		words[i] = f.Detail
		if f.Pointer != "" {
			words[i] = f.Pointer + ": " + f.Detail
		}
	}
	return httpapi.Fault(http.StatusUnprocessableEntity, "invalid", strings.Join(words, "; ")).With("errors", list)
}

// documentFaults lists what is wrong with documents, with pointers into the body that brought them.
func documentFaults(err error, docs []spec.Document) []fault {
	var doc *registry.DocumentError
	switch e := err.(type) { //nolint:errorlint // joined errors are walked one by one
	case nil:
		return nil
	case *registry.DocumentError:
		doc = e
	case interface{ Unwrap() []error }:
		var out []fault
		for _, one := range e.Unwrap() {
			out = append(out, documentFaults(one, docs)...)
		}
		return out
	default:
		return documentFaults(errors.Unwrap(err), docs)
	}
	at, prefix := pointerTo(doc, docs)
	var out []fault
	for _, f := range manifest.Faults(doc.Err) {
		if at == "" { // a document that was applied earlier: there is nothing in this body to point at
			out = append(out, fault{Detail: prefix + f.Error()})
			continue
		}
		out = append(out, fault{Pointer: at + f.Path, Detail: f.Problem})
	}
	return out
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
