package kubebackend

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/signalbox-ml/signalbox/consumers/train"
)

// Labels and annotations of what we create.
const (
	labelManagedBy = "app.kubernetes.io/managed-by"
	labelInstance  = "signalbox.dev/instance"
	labelRun       = "signalbox.dev/run"
	labelAttempt   = "signalbox.dev/attempt"
	labelModel     = "signalbox.dev/model"
	labelProject   = "signalbox.dev/project"
	labelClass     = "signalbox.dev/compute-class"
	labelWorkers   = "signalbox.dev/workers" // of jobs with several: their pods talk to each other
	labelQueue     = "kueue.x-k8s.io/queue-name"
	annotOwner     = "signalbox.dev/owner"
	managedBy      = "signalbox"
)

const (
	containerName = "job"
	user          = 65532 // nobody's, by the convention of images without root
	jobDir        = "/signalbox/job"
	workDir       = "/signalbox/work"
	jobFile       = "job.json"
	// maxWorkers is what one Job may have.
	maxWorkers = 512
)

func (b *Backend) meta(j train.Job) metav1.ObjectMeta {
	labels := map[string]string{
		labelManagedBy: managedBy, labelInstance: b.cfg.Instance, labelRun: j.Run.String(), labelAttempt: strconv.Itoa(j.Attempt),
	}
	for key, value := range map[string]string{labelModel: j.Model, labelProject: j.Project, labelClass: j.ComputeClass} {
		if value != "" && len(validation.IsValidLabelValue(value)) == 0 { // for people and policies; nothing here reads them
			labels[key] = value
		}
	}
	if j.Workers > 1 {
		labels[labelWorkers] = strconv.Itoa(j.Workers)
	}
	m := metav1.ObjectMeta{Name: train.JobName(j.Run, j.Attempt), Namespace: b.cfg.Namespace, Labels: labels}
	if j.Owner != "" {
		m.Annotations = map[string]string{annotOwner: j.Owner}
	}
	return m
}

// job is the Job of an attempt. Everything that decides about rights is written here and comes from nowhere else.
func (b *Backend) job(j train.Job, class Class) (*batchv1.Job, error) {
	meta := b.meta(j)
	tolerations, affinity, err := class.placement()
	if err != nil {
		return nil, err
	}
	pod := corev1.PodSpec{
		RestartPolicy:                 corev1.RestartPolicyNever,
		AutomountServiceAccountToken:  new(false),
		EnableServiceLinks:            new(false),
		TerminationGracePeriodSeconds: new(int64(b.cfg.Grace.Seconds())),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: new(true), RunAsUser: new(int64(user)), RunAsGroup: new(int64(user)), FSGroup: new(int64(user)),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		NodeSelector: class.NodeSelector, Affinity: affinity, Tolerations: b.patient(tolerations),
		PriorityClassName: class.PriorityClass,
		Containers:        []corev1.Container{b.container(j, class)},
		Volumes: []corev1.Volume{
			{Name: "job", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{
				SecretName: meta.Name, DefaultMode: new(int32(0o440)), Items: items(j)}}},
			{Name: "work", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{
				SizeLimit: new(resource.MustParse(class.Scratch))}}},
		},
	}
	if class.RuntimeClass != "" {
		pod.RuntimeClassName = &class.RuntimeClass
	}
	workers := int32(max(1, j.Workers))
	out := &batchv1.Job{ObjectMeta: meta, Spec: batchv1.JobSpec{
		Parallelism: new(workers), Completions: new(workers), BackoffLimit: new(int32(0)), // one that fails fails all
		TTLSecondsAfterFinished: new(int32(b.cfg.Keep.Seconds())),
		PodReplacementPolicy:    new(batchv1.Failed), // never a second pod beside one that may still run
		Template:                corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: maps.Clone(meta.Labels), Annotations: meta.Annotations}, Spec: pod},
	}}
	if workers > 1 { // each pod has an index, which is its rank
		out.Spec.CompletionMode = new(batchv1.IndexedCompletion)
	}
	if j.Deadline > 0 {
		out.Spec.ActiveDeadlineSeconds = new(max(1, int64(j.Deadline.Seconds())))
	}
	if class.Queue != "" {
		out.Labels[labelQueue] = class.Queue
	}
	return out, nil
}

func (b *Backend) container(j train.Job, class Class) corev1.Container {
	resources := class.resources()
	threads := max(1, resources.Requests.Cpu().Value())
	env := []corev1.EnvVar{
		field("SIGNALBOX_EXECUTOR", "metadata.uid"),
		{Name: "HOME", Value: workDir}, {Name: "TMPDIR", Value: workDir}, {Name: "SIGNALBOX_SCRATCH", Value: workDir},
		{Name: "PYTHONHASHSEED", Value: "0"}, {Name: "PYTHONUNBUFFERED", Value: "1"}, {Name: "PYTHONDONTWRITEBYTECODE", Value: "1"},
		{Name: "OMP_NUM_THREADS", Value: strconv.FormatInt(threads, 10)}, {Name: "OPENBLAS_NUM_THREADS", Value: strconv.FormatInt(threads, 10)},
		{Name: "MKL_NUM_THREADS", Value: strconv.FormatInt(threads, 10)}, {Name: "OMP_WAIT_POLICY", Value: "PASSIVE"},
	}
	if j.Workers > 1 {
		env = append(env, field(train.EnvRank, "metadata.annotations['"+batchv1.JobCompletionIndexAnnotation+"']"), field(train.EnvAddress, "status.podIP"))
	}
	for _, key := range slices.Sorted(maps.Keys(class.Env)) {
		env = append(env, corev1.EnvVar{Name: key, Value: class.Env[key]})
	}
	return corev1.Container{
		Name: containerName, Image: class.Image, ImagePullPolicy: corev1.PullPolicy(b.cfg.PullPolicy),
		Command: []string{"python", "-m", "signalbox.launcher", path.Join(jobDir, jobFile)}, WorkingDir: workDir,
		Env: env, Resources: resources,
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false), Privileged: new(false), ReadOnlyRootFilesystem: new(true), RunAsNonRoot: new(true),
			Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		VolumeMounts: []corev1.VolumeMount{
			{Name: "job", MountPath: jobDir, ReadOnly: true}, {Name: "work", MountPath: workDir},
		},
	}
}

// field is a variable that the cluster fills in.
func field(name, path string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: path}}}
}

// patient adds how long a pod stays on a node that is lost, where its class does not say.
func (b *Backend) patient(out []corev1.Toleration) []corev1.Toleration {
	for _, taint := range []string{corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable} {
		if !slices.ContainsFunc(out, func(t corev1.Toleration) bool { return t.Key == taint }) {
			out = append(out, corev1.Toleration{
				Key: taint, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute,
				TolerationSeconds: new(int64(b.cfg.NodeLoss.Seconds())),
			})
		}
	}
	return out
}

// fileKey is the key in the Secret of the i-th file: paths have characters that keys may not have.
func fileKey(i int) string { return fmt.Sprintf("file-%04d", i) }

// items says under which path each key of the Secret is mounted.
func items(j train.Job) []corev1.KeyToPath {
	out := []corev1.KeyToPath{{Key: jobFile, Path: jobFile}}
	for i, file := range slices.Sorted(maps.Keys(j.Files)) {
		out = append(out, corev1.KeyToPath{Key: fileKey(i), Path: file})
	}
	return out
}

// secret holds what only this job may read: the document with its token and signed requests, and the sources.
func (b *Backend) secret(j train.Job) *corev1.Secret {
	s := &corev1.Secret{
		ObjectMeta: b.meta(j), Type: "signalbox.dev/job", Immutable: new(true), Data: map[string][]byte{jobFile: j.Spec},
	}
	for i, file := range slices.Sorted(maps.Keys(j.Files)) {
		s.Data[fileKey(i)] = []byte(j.Files[file])
	}
	return s
}
