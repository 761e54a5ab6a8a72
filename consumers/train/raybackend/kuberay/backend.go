package kuberay

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/registry"
)

// Backend is a train.Backend on Kubernetes with KubeRay.
type Backend struct{ cfg Config }

var (
	_ train.Backend = (*Backend)(nil)
	_ train.Lister  = (*Backend)(nil)
)

// New returns a Backend.
func New(cfg Config) (*Backend, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("kuberay config: %w", err)
	}
	return &Backend{cfg}, nil
}

func (b *Backend) in(r schema.GroupVersionResource) dynamic.ResourceInterface {
	return b.cfg.Client.Resource(r).Namespace(b.cfg.Namespace)
}

// Submit implements train.Backend. The Secret comes first: a pod whose Secret never came would wait for ever.
func (b *Backend) Submit(ctx context.Context, j train.Job) error {
	job, err := b.rayJob(j)
	if err != nil {
		return fmt.Errorf("job %s/%d: %w", j.Run, j.Attempt, err)
	}
	secret, err := b.secret(j)
	if err != nil {
		return fmt.Errorf("job %s/%d: %w", j.Run, j.Attempt, err)
	}
	if err := b.create(ctx, secrets(), secret); err != nil {
		return fmt.Errorf("job %s/%d: create secret: %w", j.Run, j.Attempt, err)
	}
	if err := b.create(ctx, rayJobs(), job); err != nil {
		return fmt.Errorf("job %s/%d: create RayJob: %w", j.Run, j.Attempt, err)
	}
	b.cfg.Log.InfoContext(ctx, "job created", "run_id", j.Run, "attempt", j.Attempt, "job", job.Name)
	return nil
}

// create succeeds where the object is there.
func (b *Backend) create(ctx context.Context, r schema.GroupVersionResource, v any) error {
	obj, err := object(v)
	if err != nil {
		return err
	}
	_, err = b.in(r).Create(ctx, obj, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// get asks the API server for a RayJob: train.ErrNoJob where it has none.
func (b *Backend) get(ctx context.Context, run registry.RunID, attempt int) (*rayJob, error) {
	obj, err := b.in(rayJobs()).Get(ctx, train.JobName(run, attempt), metav1.GetOptions{})
	if apierrors.IsNotFound(err) && installed(err) {
		return nil, train.ErrNoJob
	}
	if err != nil {
		return nil, err
	}
	var job rayJob
	return &job, runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, &job)
}

// installed is false for the 404 of an API server that does not know the kind: the operator is not there, so nobody can say
// that a job is lost.
func installed(err error) bool {
	return !apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}

// Status implements train.Backend.
func (b *Backend) Status(ctx context.Context, run registry.RunID, attempt int) (train.Status, error) {
	job, err := b.get(ctx, run, attempt)
	if err != nil {
		return train.Status{}, fmt.Errorf("job %s/%d: %w", run, attempt, err)
	}
	switch job.Status.Deployment {
	case "Initializing", "Running":
		cluster, err := b.cluster(ctx, job.Status.Cluster)
		if err != nil {
			return train.Status{}, fmt.Errorf("cluster of job %s/%d: %w", run, attempt, err)
		}
		return alive(job, cluster), nil
	}
	return state(job), nil
}

// cluster asks the API server for a RayCluster; nil where it has none.
func (b *Backend) cluster(ctx context.Context, name string) (*rayCluster, error) {
	if name == "" {
		return nil, nil
	}
	obj, err := b.in(rayClusters()).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) && installed(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var c rayCluster
	return &c, runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, &c)
}

// Cancel implements train.Backend. The RayJob goes once its cluster has: foreground deletion waits for that.
func (b *Backend) Cancel(ctx context.Context, run registry.RunID, attempt int) error {
	n := train.JobName(run, attempt)
	errJob := b.in(rayJobs()).Delete(ctx, n, metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationForeground)})
	errSecret := b.in(secrets()).Delete(ctx, n, metav1.DeleteOptions{})
	for _, err := range []error{errJob, errSecret} {
		if err != nil && (!apierrors.IsNotFound(err) || !installed(err)) {
			return fmt.Errorf("cancel job %s/%d: %w", run, attempt, err)
		}
	}
	if apierrors.IsNotFound(errJob) {
		return nil
	}
	return fmt.Errorf("cancel job %s/%d: %w", run, attempt, train.ErrEnding) // the next call finds it gone, or not
}

// Log implements train.Backend. Launchers send the log themselves; the rest goes with the cluster.
func (b *Backend) Log(ctx context.Context, run registry.RunID, attempt int, _ int64) (io.ReadCloser, error) {
	if _, err := b.get(ctx, run, attempt); err != nil {
		return nil, fmt.Errorf("log of job %s/%d: %w", run, attempt, err)
	}
	return http.NoBody, nil
}

// Jobs implements train.Lister.
func (b *Backend) Jobs(ctx context.Context) ([]train.Attempt, error) {
	list, err := b.in(rayJobs()).List(ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(&metav1.LabelSelector{
		MatchLabels: map[string]string{labelManagedBy: managedBy, labelInstance: b.cfg.Instance},
	})})
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	var out []train.Attempt
	for _, j := range list.Items {
		run, err := registry.ParseRunID(j.GetLabels()[labelRun])
		n, numErr := strconv.Atoi(j.GetLabels()[labelAttempt])
		if err != nil || numErr != nil || j.GetName() != train.JobName(run, n) {
			continue // somebody else's, with our labels
		}
		out = append(out, train.Attempt{Run: run, N: n})
	}
	return out, nil
}
