package registry

import (
	"fmt"
	"strings"

	"github.com/signalbox-ml/signalbox/registry/cas"
)

// MissingBlobs is ErrBlobsMissing with the blobs that a publisher must upload, after it has leased them again.
type MissingBlobs struct{ Digests []cas.Digest }

// Error lists the digests.
func (e *MissingBlobs) Error() string {
	names := make([]string, len(e.Digests))
	for i, d := range e.Digests {
		names[i] = d.String()
	}
	return fmt.Sprintf("%v: %s", ErrBlobsMissing, strings.Join(names, ", "))
}

// Unwrap makes errors.Is(err, ErrBlobsMissing) true.
func (e *MissingBlobs) Unwrap() error { return ErrBlobsMissing }
