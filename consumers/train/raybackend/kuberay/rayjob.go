package kuberay

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/signalbox-ml/signalbox/consumers/train"
)

// Labels of what we create.
const (
	labelManagedBy = "app.kubernetes.io/managed-by"
	labelInstance  = "signalbox.dev/instance"
	labelRun       = "signalbox.dev/run"
	labelAttempt   = "signalbox.dev/attempt"
	labelModel     = "signalbox.dev/model"
	labelProject   = "signalbox.dev/project"
	labelClass     = "signalbox.dev/compute-class"
	labelQueue     = "kueue.x-k8s.io/queue-name"
	managedBy      = "signalbox"
)

func (b *Backend) labels(j train.Job) map[string]string {
	labels := map[string]string{
		labelManagedBy: managedBy, labelInstance: b.cfg.Instance, labelRun: j.Run.String(), labelAttempt: strconv.Itoa(j.Attempt),
	}
	for key, value := range map[string]string{labelModel: j.Model, labelProject: j.Project, labelClass: j.ComputeClass} {
		if value != "" && len(validation.IsValidLabelValue(value)) == 0 { // for people and policies; nothing here reads them
			labels[key] = value
		}
	}
	return labels
}

// rayJob is the RayJob of an attempt. What decides about rights is in the pod that Config.Pod gives.
func (b *Backend) rayJob(j train.Job) (*rayJob, error) {
	n := train.JobName(j.Run, j.Attempt)
	pod, err := b.cfg.Pod(j, n)
	if err != nil {
		return nil, err
	}
	if len(pod.Spec.Containers) == 0 {
		return nil, fmt.Errorf("pod of class %s has no container", j.ComputeClass)
	}
	start := map[string]string{"temp-dir": path.Join(b.cfg.Scratch, "ray"), "disable-usage-stats": "true"}
	labels := b.labels(j)
	if queue := b.cfg.Queues[j.ComputeClass]; queue != "" {
		labels[labelQueue] = queue
	}
	out := &rayJob{
		TypeMeta:   metav1.TypeMeta{APIVersion: "ray.io/v1", Kind: "RayJob"},
		ObjectMeta: metav1.ObjectMeta{Name: n, Namespace: b.cfg.Namespace, Labels: labels},
		Spec: rayJobSpec{
			JobID: n, Entrypoint: "python -m signalbox.launcher " + b.cfg.Document,
			SubmissionMode: "HTTPMode", Shutdown: true, TTL: int32(b.cfg.Linger.Seconds()),
			BackoffLimit: 0, // another attempt is the machine's decision
			Cluster: rayClusterSpec{
				RayVersion: b.cfg.RayVersion, Auth: authOptions{Mode: "token"},
				Head: group{Start: start, Template: rayPod(pod, headHealth())},
			},
		},
	}
	if workers := int32(b.cfg.Workers[j.ComputeClass]); workers > 0 {
		out.Spec.Cluster.Workers = []group{{
			Name: "workers", Replicas: &workers, Min: &workers, Max: &workers, Start: start, Template: withoutVolume(rayPod(pod, workerHealth()), n),
		}}
	}
	if j.Deadline > 0 {
		out.Spec.Deadline = new(max(1, int32(min(j.Deadline.Seconds(), 1<<30))))
	}
	return out, nil
}

// rayPod makes a pod of jobs one of Ray: the operator starts Ray in its first container. The executor's name is taken out:
// it would be the pod's, and a job that the operator sends twice would pass for the same one.
func rayPod(t corev1.PodTemplateSpec, health corev1.ProbeHandler) corev1.PodTemplateSpec {
	out := *t.DeepCopy()
	c := &out.Spec.Containers[0]
	c.Command, c.Args = nil, nil
	c.ReadinessProbe = &corev1.Probe{ProbeHandler: health, InitialDelaySeconds: 5, PeriodSeconds: 5, TimeoutSeconds: 5, FailureThreshold: 10}
	c.LivenessProbe = &corev1.Probe{ProbeHandler: health, InitialDelaySeconds: 30, PeriodSeconds: 5, TimeoutSeconds: 5, FailureThreshold: 120}
	c.Env = slices.DeleteFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == "SIGNALBOX_EXECUTOR" })
	return out
}

// headHealth and workerHealth ask Ray itself. Probes that we do not set are the operator's: bash and wget in the container,
// which an image of ours need not have, and a process every few seconds that counts against the job's memory.
func headHealth() corev1.ProbeHandler {
	return corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/api/gcs_healthz", Port: intstr.FromInt32(8265), Scheme: corev1.URISchemeHTTP}}
}

func workerHealth() corev1.ProbeHandler {
	return corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/api/local_raylet_healthz", Port: intstr.FromInt32(52365), Scheme: corev1.URISchemeHTTP}}
}

// withoutVolume takes the Secret out of a pod that does not run the job's first process.
func withoutVolume(t corev1.PodTemplateSpec, secret string) corev1.PodTemplateSpec {
	var gone []string
	t.Spec.Volumes = slices.DeleteFunc(t.Spec.Volumes, func(v corev1.Volume) bool {
		match := v.Secret != nil && v.Secret.SecretName == secret
		if match {
			gone = append(gone, v.Name)
		}
		return match
	})
	for i := range t.Spec.Containers {
		c := &t.Spec.Containers[i]
		c.VolumeMounts = slices.DeleteFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return slices.Contains(gone, m.Name) })
	}
	return t
}

// secret is what the head mounts.
func (b *Backend) secret(j train.Job) (*corev1.Secret, error) {
	s, err := b.cfg.Secret(j, train.JobName(j.Run, j.Attempt))
	if err != nil {
		return nil, err
	}
	s = s.DeepCopy()
	s.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}
	s.Name, s.Namespace = train.JobName(j.Run, j.Attempt), b.cfg.Namespace
	if s.Labels == nil {
		s.Labels = map[string]string{}
	}
	maps.Copy(s.Labels, b.labels(j))
	return s, nil
}

// object is what the dynamic client takes.
func object(v any) (*unstructured.Unstructured, error) {
	m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(v)
	return &unstructured.Unstructured{Object: m}, err
}
