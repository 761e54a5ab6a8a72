package train

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/signalbox-ml/signalbox/registry"
)

// JobName is the name of an attempt's job on a cluster. It fits a Kubernetes label.
func JobName(run registry.RunID, attempt int) string {
	return "run-" + run.String() + "-" + strconv.Itoa(attempt)
}

var envName = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,100}$`)

// MaySet reports whether a compute class may set a variable in the environment of its jobs. Those that decide which code is
// loaded, or with which devices, are the image's, the cluster's and ours.
func MaySet(name string) bool {
	if !envName.MatchString(name) {
		return false
	}
	for _, prefix := range []string{
		"LD_", "NVIDIA_", "CUDA_VISIBLE_", "PYTHON", "SIGNALBOX_", "KUBERNETES_", "RAY_", "GLIBC_", "MALLOC_",
	} {
		if strings.HasPrefix(name, prefix) {
			return false
		}
	}
	return !slices.Contains([]string{"PATH", "HOME", "TMPDIR", "IFS", "ENV", "BASH_ENV", "SHELLOPTS"}, name)
}
