package kuberay

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/fake"
	ktesting "k8s.io/client-go/testing"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/registry"
)

// pod stands for what the operator's class gives.
func pod(j train.Job, name string) (corev1.PodTemplateSpec, error) {
	if j.ComputeClass == "NONE" {
		return corev1.PodTemplateSpec{}, errors.New("no such class")
	}
	return corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		AutomountServiceAccountToken: new(false),
		Containers: []corev1.Container{{
			Name: "job", Image: "ray@sha256:0", Command: []string{"python"}, Args: []string{"x"},
			Env:          []corev1.EnvVar{{Name: "SIGNALBOX_EXECUTOR", Value: "uid"}, {Name: "PYTHONHASHSEED", Value: "0"}},
			VolumeMounts: []corev1.VolumeMount{{Name: "job", MountPath: "/job"}, {Name: "work", MountPath: "/work"}},
		}},
		Volumes: []corev1.Volume{
			{Name: "job", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: name}}},
			{Name: "work", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
		},
	}}, nil
}

func secret(j train.Job, _ string) (*corev1.Secret, error) {
	return &corev1.Secret{Immutable: new(true), Data: map[string][]byte{"job.json": j.Spec}}, nil
}

func newBackend(t *testing.T) (*Backend, *fake.FakeDynamicClient) {
	t.Helper()
	client := fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		rayJobs(): "RayJobList", rayClusters(): "RayClusterList", secrets(): "SecretList",
	})
	b, err := New(Config{
		Client: client, Namespace: "training", RayVersion: "2.60.0", Pod: pod, Secret: secret,
		Document: "/job/job.json", Scratch: "/work", Workers: map[string]int{"WIDE": 3}, Queues: map[string]string{"WIDE": "nightly"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b, client
}

func newJob(class string) train.Job {
	return train.Job{
		Run: registry.RunID(uuid.New()), Attempt: 2, ComputeClass: class, Deadline: 90 * time.Minute, Model: "flight-delay",
		Spec: []byte(`{"token":"canary-4711"}`),
	}
}

func TestSubmitCreatesOnce(t *testing.T) {
	b, client := newBackend(t)
	j := newJob("WIDE")
	for range 2 {
		if err := b.Submit(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	job, err := b.get(t.Context(), j.Run, 2)
	if err != nil {
		t.Fatal(err)
	}
	s := job.Spec
	if s.JobID != job.Name || s.Entrypoint != "python -m signalbox.launcher /job/job.json" || s.SubmissionMode != "HTTPMode" ||
		!s.Shutdown || s.TTL != 30 || s.BackoffLimit != 0 || s.Deadline == nil || *s.Deadline != 5400 || s.Cluster.Auth.Mode != "token" {
		t.Errorf("spec %+v", s)
	}
	raw, err := client.Resource(rayJobs()).Namespace("training").Get(t.Context(), job.Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(raw)
	if err != nil || strings.Contains(string(text), "canary") {
		t.Errorf("the RayJob shows the token, %v: %s", err, text)
	}
	if queue := job.Labels["kueue.x-k8s.io/queue-name"]; queue != "nightly" {
		t.Errorf("queue %q", queue)
	}
	if v, ok, err := unstructured.NestedInt64(raw.Object, "spec", "backoffLimit"); v != 0 || !ok || err != nil {
		t.Errorf("backoffLimit %d, %v, %v: it must be said", v, ok, err)
	}
	if jobs, err := b.Jobs(t.Context()); err != nil || len(jobs) != 1 || jobs[0] != (train.Attempt{Run: j.Run, N: 2}) {
		t.Errorf("jobs %v, %v", jobs, err)
	}
}

func TestPods(t *testing.T) {
	b, _ := newBackend(t)
	job, err := b.rayJob(newJob("WIDE"))
	if err != nil {
		t.Fatal(err)
	}
	head, workers := job.Spec.Cluster.Head.Template.Spec, job.Spec.Cluster.Workers
	c := head.Containers[0]
	if len(c.Command)+len(c.Args) != 0 || len(c.Env) != 1 || c.Env[0].Name != "PYTHONHASHSEED" || *head.AutomountServiceAccountToken {
		t.Errorf("head %+v", head)
	}
	if len(head.Volumes) != 2 || len(c.VolumeMounts) != 2 {
		t.Errorf("head has volumes %v", head.Volumes)
	}
	if len(workers) != 1 || *workers[0].Replicas != 3 || *workers[0].Max != 3 {
		t.Fatalf("workers %+v", workers)
	}
	if w := workers[0].Template.Spec; len(w.Volumes) != 1 || w.Volumes[0].Name != "work" || len(w.Containers[0].VolumeMounts) != 1 {
		t.Errorf("workers have volumes %v: the token is the head's alone", w.Volumes)
	}
	if narrow, err := b.rayJob(newJob("CPU")); err != nil || len(narrow.Spec.Cluster.Workers) != 0 {
		t.Errorf("class without workers: %+v, %v", narrow, err)
	}
	if err := b.Submit(t.Context(), newJob("NONE")); err == nil || !strings.Contains(err.Error(), "no such class") {
		t.Errorf("unknown class: %v", err)
	}
}

func TestCancel(t *testing.T) {
	b, client := newBackend(t)
	j := newJob("CPU")
	if err := b.Submit(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	if err := b.Cancel(t.Context(), j.Run, 2); !errors.Is(err, train.ErrEnding) {
		t.Errorf("first cancel: %v, want ErrEnding", err)
	}
	if err := b.Cancel(t.Context(), j.Run, 2); err != nil {
		t.Errorf("second cancel: %v", err)
	}
	if _, err := b.Status(t.Context(), j.Run, 2); !errors.Is(err, train.ErrNoJob) {
		t.Errorf("status: %v", err)
	}
	if _, err := b.Log(t.Context(), j.Run, 2, 0); !errors.Is(err, train.ErrNoJob) {
		t.Errorf("log: %v", err)
	}
	left, err := client.Resource(secrets()).Namespace("training").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(left.Items) != 0 {
		t.Errorf("secrets are left: %v, %v", left, err)
	}
}

// TestNoOperator: a cluster that does not know RayJobs cannot say that one is lost.
func TestNoOperator(t *testing.T) {
	b, client := newBackend(t)
	client.PrependReactor("*", "rayjobs", func(ktesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewGenericServerResponse(404, "get", rayJobs().GroupResource(), "run", "404 page not found", 0, true)
	})
	j := newJob("CPU")
	if _, err := b.Status(t.Context(), j.Run, 2); err == nil || errors.Is(err, train.ErrNoJob) {
		t.Errorf("status: %v, want an error that is not ErrNoJob", err)
	}
	if err := b.Cancel(t.Context(), j.Run, 2); err == nil || errors.Is(err, train.ErrEnding) {
		t.Errorf("cancel: %v, want an error", err)
	}
}

func TestConfig(t *testing.T) {
	_, err := New(Config{Namespace: "No", RayVersion: "new", Document: "job.json", Linger: -1, Workers: map[string]int{"A": -1}, Queues: map[string]string{"B": "Q!"}})
	for _, want := range []string{"client", "namespace", "ray version", "document", "class A", "class B", "linger"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %s: %v", want, err)
		}
	}
	if _, err := New(Config{RayVersion: "2.51.1"}); !strings.Contains(err.Error(), "2.52.0") {
		t.Errorf("a Ray without tokens: %v", err)
	}
}
