package kubebackend

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// maxSecret is what a Secret may hold, in bytes; the API server refuses more.
const maxSecret = 1_000_000

// Backend is a train.Backend on Kubernetes. Run must run for its caches to be fresh; without it every answer asks the API
// server.
type Backend struct {
	cfg     Config
	cache   *watch
	podless podless
}

var (
	_ train.Backend  = (*Backend)(nil)
	_ train.Lister   = (*Backend)(nil)
	_ train.Spreader = (*Backend)(nil)
)

// New returns a Backend.
func New(cfg Config) (*Backend, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("kubebackend config: %w", err)
	}
	b := &Backend{cfg: cfg, podless: podless{jobs: map[string]podlessJob{}}}
	b.cache = newWatch(cfg, b.selector())
	return b, nil
}

// MaxWorkers implements train.Spreader. Quotas of the namespace may allow less.
func (b *Backend) MaxWorkers() int { return maxWorkers }

// Run keeps the caches fresh until ctx ends.
func (b *Backend) Run(ctx context.Context) error { return b.cache.run(ctx) }

// selector finds what belongs to this instance.
func (b *Backend) selector() string {
	return metav1.FormatLabelSelector(&metav1.LabelSelector{MatchLabels: map[string]string{
		labelManagedBy: managedBy, labelInstance: b.cfg.Instance,
	}})
}

// Submit implements train.Backend. The Secret comes first: a pod whose Secret never came would wait for ever.
func (b *Backend) Submit(ctx context.Context, j train.Job) error {
	class, err := b.class(j)
	if err != nil {
		return fmt.Errorf("job %s/%d: %w", j.Run, j.Attempt, err)
	}
	if j.Workers > maxWorkers {
		return fmt.Errorf("job %s/%d: %w", j.Run, j.Attempt,
			&manifest.Fault{Path: "/compute_resource/workers", Problem: fmt.Sprintf("%d: a Kubernetes job takes %d", j.Workers, maxWorkers)})
	}
	secret, err := b.Secret(j, train.JobName(j.Run, j.Attempt))
	if err != nil {
		return fmt.Errorf("job %s/%d: %w", j.Run, j.Attempt, err)
	}
	if _, err := b.cfg.Client.CoreV1().Secrets(b.cfg.Namespace).Create(ctx, secret, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("job %s/%d: create secret: %w", j.Run, j.Attempt, err)
	}
	job, err := b.job(j, class)
	if err != nil {
		return fmt.Errorf("job %s/%d: %w", j.Run, j.Attempt, err)
	}
	made, err := b.cfg.Client.BatchV1().Jobs(b.cfg.Namespace).Create(ctx, job, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	if apierrors.IsInvalid(err) { // what the operator said of the class is no pod: no repeat helps
		return fmt.Errorf("job %s/%d: %w", j.Run, j.Attempt, &manifest.Fault{Path: "/compute_resource", Problem: "the cluster refuses the class: " + err.Error()})
	}
	if err != nil {
		return fmt.Errorf("job %s/%d: create job: %w", j.Run, j.Attempt, err)
	}
	b.cfg.Log.InfoContext(ctx, "job created", "run_id", j.Run, "attempt", j.Attempt, "job", made.Name, "uid", made.UID)
	return nil
}

// Cancel implements train.Backend. The job is gone once its pods are, or should have been.
func (b *Backend) Cancel(ctx context.Context, run registry.RunID, attempt int) error {
	n := train.JobName(run, attempt)
	b.podless.forget(n)
	errJob := b.cfg.Client.BatchV1().Jobs(b.cfg.Namespace).Delete(ctx, n, metav1.DeleteOptions{
		PropagationPolicy: new(metav1.DeletePropagationBackground),
	})
	errSecret := b.cfg.Client.CoreV1().Secrets(b.cfg.Namespace).Delete(ctx, n, metav1.DeleteOptions{})
	for _, err := range []error{errJob, errSecret} {
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("cancel job %s/%d: %w", run, attempt, err)
		}
	}
	pods, err := b.pods(ctx, n)
	if err != nil {
		return fmt.Errorf("cancel job %s/%d: %w", run, attempt, err)
	}
	for _, p := range pods {
		if !ended(p) && !overdue(p, time.Now()) {
			return fmt.Errorf("cancel job %s/%d: %w", run, attempt, train.ErrEnding)
		}
	}
	return nil
}

// Log implements train.Backend. While a job runs its launcher sends the log itself; what is read here, once it has ended,
// is what the launcher could not send any more. Of several workers it is that of rank 0.
func (b *Backend) Log(ctx context.Context, run registry.RunID, attempt int, offset int64) (io.ReadCloser, error) {
	n := train.JobName(run, attempt)
	// Every look asks for the log of every job that runs: what the cache knows to run or to wait has none, and the API server is not
	// asked.
	if job, pods, ok := b.cache.find(n); ok && !slices.ContainsFunc(pods, ended) && (len(pods) > 0 || condition(job) == nil) {
		return io.NopCloser(eof{}), nil
	}
	pods, err := b.pods(ctx, n)
	if err != nil {
		return nil, fmt.Errorf("log of job %s/%d: %w", run, attempt, err)
	}
	pods = slices.DeleteFunc(pods, func(p corev1.Pod) bool { return rank(p) > 0 })
	if len(pods) == 0 {
		return nil, fmt.Errorf("log of job %s/%d: %w", run, attempt, train.ErrNoJob)
	}
	pod := pods[0] // a second one never got the attempt, or the first one's log is what matters
	if !ended(pod) {
		return io.NopCloser(eof{}), nil
	}
	r, err := b.cfg.Client.CoreV1().Pods(b.cfg.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Container: containerName}).Stream(ctx)
	if apierrors.IsNotFound(err) || apierrors.IsBadRequest(err) { // the container was never made, or is collected
		return io.NopCloser(eof{}), nil
	}
	if err != nil {
		return nil, fmt.Errorf("log of job %s/%d: %w", run, attempt, err)
	}
	if _, err := io.CopyN(io.Discard, r, offset); err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(fmt.Errorf("log of job %s/%d: %w", run, attempt, err), r.Close())
	}
	return r, nil
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// Jobs implements train.Lister.
func (b *Backend) Jobs(ctx context.Context) ([]train.Attempt, error) {
	list, err := b.cfg.Client.BatchV1().Jobs(b.cfg.Namespace).List(ctx, metav1.ListOptions{LabelSelector: b.selector()})
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	var out []train.Attempt
	for _, j := range list.Items {
		run, err := registry.ParseRunID(j.Labels[labelRun])
		n, numErr := strconv.Atoi(j.Labels[labelAttempt])
		if err != nil || numErr != nil || j.Name != train.JobName(run, n) {
			continue // somebody else's, with our labels
		}
		out = append(out, train.Attempt{Run: run, N: n})
	}
	return out, nil
}

// pods are those of a job, oldest first, asked of the API server.
func (b *Backend) pods(ctx context.Context, job string) ([]corev1.Pod, error) {
	list, err := b.cfg.Client.CoreV1().Pods(b.cfg.Namespace).List(ctx, metav1.ListOptions{LabelSelector: "batch.kubernetes.io/job-name=" + job})
	if err != nil {
		return nil, err
	}
	return oldestFirst(list.Items), nil
}
