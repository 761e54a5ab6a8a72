package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Backends that a compute class may name.
const (
	BackendLocal      = "local"      // processes of the machine that has the role train
	BackendKubernetes = "kubernetes" // Jobs of a cluster
	BackendRay        = "ray"        // jobs of a running Ray cluster
	BackendKubeRay    = "kuberay"    // Ray clusters of a Kubernetes cluster, one for each job
)

// Training says how jobs run.
type Training struct {
	Python string `yaml:"python"` // interpreter that has the package signalbox
	// Cold starts an interpreter for each local job. Else one is kept that has imported what jobs need: 200 MiB that they share.
	Cold        bool          `yaml:"cold"`
	MaxParallel int           `yaml:"max_parallel"` // jobs at once, of all classes
	MaxAttempts int           `yaml:"max_attempts"`
	Deadline    time.Duration `yaml:"deadline"` // of one attempt
	// Aging is how long a run waits for one point of priority more; 0 means 1 min.
	Aging time.Duration `yaml:"aging"`
	// Projects bound and rank the runs of projects by name, EachProject those of all others.
	Projects    map[string]Project `yaml:"projects"`
	EachProject Project            `yaml:"each_project"`
	// Classes are the values of compute_resource; none means CPU, GPU and HIGH_MEMORY, all local.
	Classes    map[string]Class `yaml:"classes"`
	Kubernetes Kubernetes       `yaml:"kubernetes"`
	Ray        Ray              `yaml:"ray"`
}

// Project is what the runs of one project may take.
type Project struct {
	MaxParallel int `yaml:"max_parallel"` // 0: no limit of its own
	Priority    int `yaml:"priority"`
}

// Class is one kind of machine. What its backend does not know is refused.
type Class struct {
	Backend     string        `yaml:"backend"`      // local where empty
	Kind        string        `yaml:"kind"`         // joins classes that differ in size only
	MaxParallel int           `yaml:"max_parallel"` // 0: no limit of its own
	Deadline    time.Duration `yaml:"deadline"`     // 0: that of all
	// Quantities as Kubernetes writes them: 500m, 4Gi.
	CPU     string            `yaml:"cpu"`
	Memory  string            `yaml:"memory"`
	Scratch string            `yaml:"scratch"`
	Devices map[string]string `yaml:"devices"` // nvidia.com/gpu: "1"
	Env     map[string]string `yaml:"env"`
	// Only for Kubernetes and KubeRay. Tolerations and affinity are as in a pod's spec.
	LimitCPU      bool              `yaml:"limit_cpu"`
	Image         string            `yaml:"image"`
	NodeSelector  map[string]string `yaml:"node_selector"`
	Tolerations   []map[string]any  `yaml:"tolerations"`
	Affinity      map[string]any    `yaml:"affinity"`
	Queue         string            `yaml:"queue"` // a LocalQueue of Kueue
	PriorityClass string            `yaml:"priority_class"`
	RuntimeClass  string            `yaml:"runtime_class"`
	// Only for KubeRay: the pods of a job's cluster besides its head, all of this class's size.
	Workers int `yaml:"workers"`
}

// Kubernetes is the cluster that classes of that backend use, and those of KubeRay.
type Kubernetes struct {
	Kubeconfig string        `yaml:"kubeconfig"` // empty: the service account of this pod
	Namespace  string        `yaml:"namespace"`
	Instance   string        `yaml:"instance"` // tells one Signalbox from another in the same namespace
	Image      string        `yaml:"image"`    // name@sha256:..., of classes that name none
	PullPolicy string        `yaml:"pull_policy"`
	NodeLoss   time.Duration `yaml:"node_loss"` // how long a silent node keeps its job; 0 means 1 min
	Grace      time.Duration `yaml:"grace"`     // what a job has to end in peace; 0 means 30 s
	// RayVersion is that of the images of KubeRay classes, such as 2.60.0: the operator starts Ray by it.
	RayVersion string `yaml:"ray_version"`
}

// Ray is the cluster that classes of that backend use.
type Ray struct {
	URL   string `yaml:"url"`   // of its dashboard, such as https://ray-head:8265
	Token string `yaml:"token"` // bearer token
	// ClosedNetwork says that nobody else reaches the URL: without it, an address that is not loopback needs token and TLS.
	ClosedNetwork bool   `yaml:"closed_network"`
	Instance      string `yaml:"instance"` // tells one Signalbox from another on the same cluster
	Python        string `yaml:"python"`   // interpreter on the cluster's nodes; python where empty
}

// ClassNames are the values of compute_resource, sorted.
func (t Training) ClassNames() []string {
	if len(t.Classes) == 0 {
		return []string{"CPU", "GPU", "HIGH_MEMORY"}
	}
	return slices.Sorted(maps.Keys(t.Classes))
}

// Uses reports whether some class runs on a backend.
func (t Training) Uses(backend string) bool {
	if len(t.Classes) == 0 {
		return backend == BackendLocal
	}
	for _, c := range t.Classes {
		if c.Backend == backend || c.Backend == "" && backend == BackendLocal {
			return true
		}
	}
	return false
}

// CheckTraining lists what is wrong with the classes, as far as no cluster is needed to know it.
func (c Config) CheckTraining() error {
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(c.Training.Classes)) {
		class := c.Training.Classes[name]
		switch b := class.Backend; b {
		case "", BackendLocal, BackendKubernetes, BackendRay, BackendKubeRay:
		default:
			faults = append(faults, fmt.Errorf("training.classes.%s.backend is %q: want local, kubernetes, ray or kuberay", name, b))
		}
		if class.Workers != 0 && class.Backend != BackendKubeRay {
			faults = append(faults, fmt.Errorf("training.classes.%s.workers: only classes of kuberay have them; runs ask for those of kubernetes themselves", name))
		}
	}
	if c.Training.Uses(BackendKubeRay) && c.Training.Kubernetes.RayVersion == "" {
		faults = append(faults, errors.New("training.kubernetes.ray_version is missing: say which Ray the images of kuberay classes have, such as 2.60.0"))
	}
	var n needs
	n.need(!c.Training.Uses(BackendKubernetes) && !c.Training.Uses(BackendKubeRay) || c.Training.Kubernetes.Namespace != "", "training.kubernetes.namespace", "SIGNALBOX_KUBERNETES_NAMESPACE")
	n.need(!c.Training.Uses(BackendRay) || c.Training.Ray.URL != "", "training.ray.url", "SIGNALBOX_RAY_URL")
	return errors.Join(append(faults, n.faults...)...)
}
