package kuberay

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func rayJobs() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "ray.io", Version: "v1", Resource: "rayjobs"}
}

func rayClusters() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "ray.io", Version: "v1", Resource: "rayclusters"}
}

func secrets() schema.GroupVersionResource {
	return schema.GroupVersionResource{Version: "v1", Resource: "secrets"}
}

// rayJob is the part of ray.io/v1 RayJob that we write and read.
type rayJob struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              rayJobSpec   `json:"spec"`
	Status            rayJobStatus `json:"status,omitzero"`
}

type rayJobSpec struct {
	JobID          string         `json:"jobId"`
	Entrypoint     string         `json:"entrypoint"`
	SubmissionMode string         `json:"submissionMode"`
	Shutdown       bool           `json:"shutdownAfterJobFinishes"`
	TTL            int32          `json:"ttlSecondsAfterFinished"`
	Deadline       *int32         `json:"activeDeadlineSeconds,omitempty"`
	BackoffLimit   int32          `json:"backoffLimit"`
	Suspend        bool           `json:"suspend,omitempty"`
	Cluster        rayClusterSpec `json:"rayClusterSpec"`
}

type rayClusterSpec struct {
	RayVersion string      `json:"rayVersion"`
	Auth       authOptions `json:"authOptions"`
	Head       group       `json:"headGroupSpec"`
	Workers    []group     `json:"workerGroupSpecs,omitempty"`
}

type authOptions struct {
	Mode string `json:"mode"`
}

type group struct {
	Name     string                 `json:"groupName,omitempty"`
	Replicas *int32                 `json:"replicas,omitempty"`
	Min      *int32                 `json:"minReplicas,omitempty"`
	Max      *int32                 `json:"maxReplicas,omitempty"`
	Start    map[string]string      `json:"rayStartParams"`
	Template corev1.PodTemplateSpec `json:"template"`
}

type rayJobStatus struct {
	Job        string       `json:"jobStatus,omitempty"`
	Deployment string       `json:"jobDeploymentStatus,omitempty"`
	Reason     string       `json:"reason,omitempty"`
	Message    string       `json:"message,omitempty"`
	Cluster    string       `json:"rayClusterName,omitempty"`
	Failed     *int32       `json:"failed,omitempty"`
	EndTime    *metav1.Time `json:"endTime,omitempty"`
}

// rayCluster is what we read of a ray.io/v1 RayCluster.
type rayCluster struct {
	Status rayClusterStatus `json:"status"`
}

type rayClusterStatus struct {
	Ready      int32              `json:"readyWorkerReplicas,omitempty"`
	Desired    int32              `json:"desiredWorkerReplicas,omitempty"`
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}
