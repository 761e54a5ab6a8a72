package inference

import (
	"sync/atomic"
	"time"

	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/services/inference/runtime"
)

// resident is a package in memory. All that an answer depends on is in this one value, so that no swap can mix two.
type resident struct {
	id      cas.Digest
	about   about
	sig     manifest.Signature
	inputs  *runtime.Columns
	outputs []output
	model   runtime.Model
	loaded  time.Time

	logInputs atomic.Bool  // the model's policy, which may change
	used      atomic.Int64 // Unix nanoseconds of the last request by digest

	refs atomic.Int64  // requests under way, and one for the table
	idle chan struct{} // closed when refs falls to zero
}

// acquire takes a reference, or reports false where the package is being closed.
func (r *resident) acquire() bool {
	for {
		n := r.refs.Load()
		if n == 0 {
			return false
		}
		if r.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// release gives a reference back.
func (r *resident) release() {
	if r.refs.Add(-1) == 0 {
		close(r.idle)
	}
}

// native reports whether the model computes in this process, on the processors that the gate guards.
func (r *resident) native() bool { return r.sig.Runtime != manifest.RuntimePython }
