package kubebackend

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes"
)

// Config of a Backend.
type Config struct {
	// Client reaches the API server; required. See Connect.
	Client kubernetes.Interface
	// Namespace holds the jobs; required.
	Namespace string
	// Instance tells the jobs of one Signalbox from those of another in the same namespace; "" means signalbox.
	Instance string
	// Image is what classes run that name none.
	Image string
	// PullPolicy of the image: Always, IfNotPresent or Never; "" means IfNotPresent, since an image is named by digest.
	PullPolicy string
	// Classes by name; at least one.
	Classes map[string]Class
	// NodeLoss is how long a pod stays bound to a node that does not answer; 0 means 1min.
	NodeLoss time.Duration
	// Grace is what a pod has to end in peace; 0 means 30s.
	Grace time.Duration
	// Keep is how long the cluster keeps a Job that ended, should nobody delete it; 0 means 24h.
	Keep time.Duration
	// Changed is called when a job or pod changes; nil: nobody listens. It must not block.
	Changed func()
	Log     *slog.Logger // nil: discard
}

func (c Config) withDefaults() Config {
	c.Instance = cmp.Or(c.Instance, "signalbox")
	c.PullPolicy = cmp.Or(c.PullPolicy, "IfNotPresent")
	c.NodeLoss = cmp.Or(c.NodeLoss, time.Minute)
	c.Grace = cmp.Or(c.Grace, 30*time.Second)
	c.Keep = cmp.Or(c.Keep, 24*time.Hour)
	if c.Changed == nil {
		c.Changed = func() {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	classes := make(map[string]Class, len(c.Classes))
	for name, class := range c.Classes {
		class.Image = cmp.Or(class.Image, c.Image)
		class.CPU = cmp.Or(class.CPU, defaultCPU)
		class.Memory = cmp.Or(class.Memory, defaultMemory)
		class.Scratch = cmp.Or(class.Scratch, defaultScratch)
		classes[name] = class
	}
	c.Classes = classes
	return c
}

func (c Config) validate() error {
	var errs []error
	if c.Client == nil {
		errs = append(errs, errors.New("client is missing"))
	}
	if len(validation.IsDNS1123Label(c.Namespace)) > 0 {
		errs = append(errs, fmt.Errorf("namespace %q: want the name of a namespace", c.Namespace))
	}
	if len(validation.IsValidLabelValue(c.Instance)) > 0 {
		errs = append(errs, fmt.Errorf("instance %q: want what fits a label", c.Instance))
	}
	if !slices.Contains([]string{"Always", "IfNotPresent", "Never"}, c.PullPolicy) {
		errs = append(errs, fmt.Errorf("pull policy %q: want Always, IfNotPresent or Never", c.PullPolicy))
	}
	if c.NodeLoss < time.Second || c.Grace < time.Second || c.Keep < time.Second {
		errs = append(errs, errors.New("node loss, grace or keep is less than a second"))
	}
	if len(c.Classes) == 0 {
		errs = append(errs, errors.New("classes are missing"))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Classes)) {
		errs = append(errs, c.Classes[name].validate(name))
	}
	return errors.Join(errs...)
}
