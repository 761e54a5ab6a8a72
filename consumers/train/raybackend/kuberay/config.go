package kuberay

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/dynamic"

	"github.com/signalbox-ml/signalbox/consumers/train"
)

// Config of a Backend.
type Config struct {
	// Client reaches the API server; required.
	Client dynamic.Interface
	// Namespace holds the jobs; required.
	Namespace string
	// Instance tells the jobs of one Signalbox from those of another in the same namespace; "" means signalbox.
	Instance string
	// RayVersion is the version of Ray in the image; required, such as 2.60.0: the operator starts Ray by it.
	RayVersion string
	// Pod returns the pod that runs jobs of a class, confined as jobs must be, and Secret what it mounts under the name
	// that it is given. Both are required. The pod's first container becomes Ray's, with its image, resources and mounts.
	Pod    func(j train.Job, name string) (corev1.PodTemplateSpec, error)
	Secret func(j train.Job, name string) (*corev1.Secret, error)
	// Document is where the pod has the job document; required.
	Document string
	// Scratch is a folder of the pod that can be written; required.
	Scratch string
	// Workers is how many pods besides the head a class has; a class that is not here has the head alone.
	Workers map[string]int
	// Queues is the Kueue LocalQueue that runs of a class wait in; a class that is not here starts at once.
	Queues map[string]string
	// Linger is how long the cluster stays after the job's end, for people who look at it; 0 means 30s.
	Linger time.Duration
	Log    *slog.Logger // nil: discard
}

func (c Config) withDefaults() Config {
	c.Instance = cmp.Or(c.Instance, "signalbox")
	c.Linger = cmp.Or(c.Linger, 30*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// folder is what a shell reads as itself.
var folder = regexp.MustCompile(`^/[A-Za-z0-9_./-]*$`)

func (c Config) validate() error {
	var errs []error
	if c.Client == nil || c.Pod == nil || c.Secret == nil {
		errs = append(errs, errors.New("client, pod or secret is missing"))
	}
	if len(validation.IsDNS1123Label(c.Namespace)) > 0 {
		errs = append(errs, fmt.Errorf("namespace %q: want the name of a namespace", c.Namespace))
	}
	if len(validation.IsValidLabelValue(c.Instance)) > 0 {
		errs = append(errs, fmt.Errorf("instance %q: want what fits a label", c.Instance))
	}
	if v, err := version.ParseSemantic(c.RayVersion); err != nil || v.LessThan(version.MustParseSemantic("2.52.0")) {
		errs = append(errs, fmt.Errorf("ray version %q: want one such as 2.60.0, and at least 2.52.0: older ones have no token", c.RayVersion))
	}
	if !folder.MatchString(c.Document) || !folder.MatchString(c.Scratch) {
		errs = append(errs, fmt.Errorf("document %q, scratch %q: want absolute paths without blanks or special characters", c.Document, c.Scratch))
	}
	for _, class := range slices.Sorted(maps.Keys(c.Workers)) {
		if n := c.Workers[class]; n < 0 || n > 1000 {
			errs = append(errs, fmt.Errorf("class %s: %d workers", class, n))
		}
	}
	for _, class := range slices.Sorted(maps.Keys(c.Queues)) {
		if q := c.Queues[class]; q != "" && len(validation.IsDNS1123Subdomain(q)) > 0 {
			errs = append(errs, fmt.Errorf("class %s: queue %q: want the name of an object", class, q))
		}
	}
	if c.Linger < time.Second {
		errs = append(errs, errors.New("linger is less than a second"))
	}
	return errors.Join(errs...)
}
