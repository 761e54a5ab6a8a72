package httpapi

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// maxFaults bounds how much of what is wrong one answer says.
const maxFaults = 100

// faultMember is one member of a problem's errors.
type faultMember struct {
	Pointer string `json:"pointer"` // JSON pointer into the body
	Detail  string `json:"detail"`
}

// Invalid is a 422 that lists what is wrong with a request, by pointer: the faults that err joins, or the text of an err
// that has none. Both must be safe to show.
func Invalid(err error) *Problem {
	faults := manifest.Faults(err)
	if len(faults) == 0 {
		faults = append(faults, &manifest.Fault{Problem: err.Error()})
	}
	slices.SortStableFunc(faults, func(a, b *manifest.Fault) int { return cmp.Compare(a.Path, b.Path) })
	faults = faults[:min(len(faults), maxFaults)]
	list, words := make([]faultMember, len(faults)), make([]string, len(faults))
	for i, f := range faults {
		list[i], words[i] = faultMember{Pointer: f.Path, Detail: f.Problem}, f.Error()
	}
	return Fault(http.StatusUnprocessableEntity, "invalid", strings.Join(words, "; ")).With("errors", list)
}

// BadRunID is for a path or header that names no run.
func BadRunID() *Problem {
	return Fault(http.StatusBadRequest, "bad_run_id", "a run id is a UUID such as 9081e64f-b2c0-455e-bcaa-c1c211fa124b")
}
