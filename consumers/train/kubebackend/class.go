package kubebackend

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/signalbox-ml/signalbox/consumers/train"
)

// Class is what the operator says about the pods of one compute class. Quantities are Kubernetes' ("500m", "4Gi").
type Class struct {
	// Image runs the job: name@sha256:..., with the Python package signalbox inside. "" means Config.Image.
	Image string
	// CPU is requested, and limited to where LimitCPU is set. Memory and Scratch (the pod's disk) are both: a job that
	// takes more is killed.
	CPU, Memory, Scratch string
	LimitCPU             bool
	// Devices are further resources by name, such as nvidia.com/gpu: "1".
	Devices map[string]string
	// Where pods may go.
	NodeSelector map[string]string
	// Tolerations and Affinity are as in a pod's spec, in JSON; empty: none.
	Tolerations, Affinity json.RawMessage
	// Queue is a Kueue LocalQueue of the namespace, whose ClusterQueue has quotas for all of the above; "" means that the
	// scheduler gets the pod at once.
	Queue string
	// PriorityClass and RuntimeClass are objects of the cluster; "" means its defaults. Priority counts in the queue, too.
	PriorityClass, RuntimeClass string
	// Env is added to the containers' environment. Names that change how programs are loaded are refused.
	Env map[string]string
}

// Defaults of what a pod gets where its class says nothing.
const (
	defaultCPU     = "1"
	defaultMemory  = "2Gi"
	defaultScratch = "10Gi"
)

var (
	byDigest = regexp.MustCompile(`^[a-z0-9][a-zA-Z0-9._:/-]{0,200}@sha256:[0-9a-f]{64}$`)
)

// validate lists every fault of a class. Nothing in it can make a pod privileged: what would is not in Class.
func (c Class) validate(name string) error {
	var errs []error
	fault := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("class %s: "+format, append([]any{name}, args...)...))
		}
	}
	fault(byDigest.MatchString(c.Image), "image %q: want name@sha256:<64 hex digits>", c.Image)
	for what, q := range map[string]string{"cpu": c.CPU, "memory": c.Memory, "scratch": c.Scratch} {
		v, err := resource.ParseQuantity(q)
		fault(err == nil && v.Sign() > 0, "%s %q: want a quantity such as 500m or 4Gi", what, q)
	}
	for _, device := range slices.Sorted(maps.Keys(c.Devices)) {
		v, err := resource.ParseQuantity(c.Devices[device])
		fault(strings.Contains(device, "/") && len(validation.IsQualifiedName(device)) == 0, "device %q: want domain/name", device)
		fault(err == nil && v.Sign() > 0 && v.MilliValue()%1000 == 0, "device %s: %q is no whole number", device, c.Devices[device])
	}
	for key, value := range c.NodeSelector {
		fault(len(validation.IsQualifiedName(key)) == 0 && len(validation.IsValidLabelValue(value)) == 0, "node selector %s=%s is no label", key, value)
	}
	if _, _, err := c.placement(); err != nil {
		errs = append(errs, fmt.Errorf("class %s: %w", name, err))
	}
	for what, object := range map[string]string{"queue": c.Queue, "priority class": c.PriorityClass, "runtime class": c.RuntimeClass} {
		fault(object == "" || len(validation.IsDNS1123Subdomain(object)) == 0, "%s %q: want the name of an object", what, object)
	}
	for _, key := range slices.Sorted(maps.Keys(c.Env)) {
		fault(train.MaySet(key), "environment variable %q is not allowed", key)
	}
	return errors.Join(errs...)
}

// placement reads tolerations and affinity. A misspelt member must not become a silent default.
func (c Class) placement() (tolerations []corev1.Toleration, affinity *corev1.Affinity, err error) {
	if len(c.Tolerations) > 0 {
		if err := strict(c.Tolerations, &tolerations); err != nil {
			return nil, nil, fmt.Errorf("tolerations: %w", err)
		}
	}
	if len(c.Affinity) > 0 {
		if err := strict(c.Affinity, &affinity); err != nil {
			return nil, nil, fmt.Errorf("affinity: %w", err)
		}
	}
	return tolerations, affinity, nil
}

func strict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// resources are the container's requests and limits. They were parsed when the class was checked.
func (c Class) resources() corev1.ResourceRequirements {
	cpu, memory, scratch := resource.MustParse(c.CPU), resource.MustParse(c.Memory), resource.MustParse(c.Scratch)
	r := corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: cpu, corev1.ResourceMemory: memory, corev1.ResourceEphemeralStorage: scratch},
		Limits:   corev1.ResourceList{corev1.ResourceMemory: memory, corev1.ResourceEphemeralStorage: scratch},
	}
	if c.LimitCPU {
		r.Limits[corev1.ResourceCPU] = cpu
	}
	for name, n := range c.Devices {
		r.Requests[corev1.ResourceName(name)] = resource.MustParse(n)
		r.Limits[corev1.ResourceName(name)] = resource.MustParse(n)
	}
	return r
}
