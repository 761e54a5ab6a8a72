package kubebackend

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/registry"
)

// Status implements train.Backend. The caches may say that a job waits or runs; that it ended, or is not there, the API
// server must say.
func (b *Backend) Status(ctx context.Context, run registry.RunID, attempt int) (train.Status, error) {
	n, now := train.JobName(run, attempt), time.Now()
	if job, pods, ok := b.cache.find(n); ok && job.DeletionTimestamp == nil && condition(job) == nil {
		st := b.alive(job, pods, now)
		fresh := st.Phase == train.PhaseRunning || st.Phase == train.PhasePending
		if st.Phase == train.PhasePending && len(pods) == 0 && !suspended(job) {
			st, fresh = b.podless.recall(n, st, now)
		}
		if fresh {
			return st, nil
		}
	}
	st, err := b.ask(ctx, n)
	if err != nil {
		return train.Status{}, fmt.Errorf("job %s/%d: %w", run, attempt, err)
	}
	if st.Phase == train.PhasePending {
		b.podless.remember(n, st, now)
	} else {
		b.podless.forget(n)
	}
	return st, nil
}

func (b *Backend) ask(ctx context.Context, n string) (train.Status, error) {
	job, err := b.cfg.Client.BatchV1().Jobs(b.cfg.Namespace).Get(ctx, n, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return train.Status{}, train.ErrNoJob
	}
	if err != nil {
		return train.Status{}, err
	}
	pods, err := b.pods(ctx, n)
	if err != nil {
		return train.Status{}, err
	}
	if end := condition(job); end != nil {
		return final(end, pods), nil
	}
	if job.DeletionTimestamp != nil {
		return train.Status{Phase: train.PhaseFailed, Reason: "the Job was deleted", Cause: train.CauseDisrupted}, nil
	}
	st := b.alive(job, pods, time.Now())
	why := ""
	switch {
	case st.Phase == train.PhasePending && len(pods) == 0:
		why, err = b.whyNoPod(ctx, job)
	case st.Phase == train.PhaseFailed && interrupted(job):
		why, err = b.newestEvent(ctx, job, "Stopped") // Kueue's
	}
	st.Reason = words(st.Reason, why)
	return st, err
}

// condition is how a job ended; nil while it has not.
func condition(job *batchv1.Job) *batchv1.JobCondition {
	return cmp.Or(conditionOf(job, batchv1.JobComplete), conditionOf(job, batchv1.JobFailed))
}

// conditionOf is a condition that holds, or nil.
func conditionOf(job *batchv1.Job, typ batchv1.JobConditionType) *batchv1.JobCondition {
	for i, c := range job.Status.Conditions {
		if c.Type == typ && c.Status == corev1.ConditionTrue {
			return &job.Status.Conditions[i]
		}
	}
	return nil
}

// final is the status of a job that ended.
func final(end *batchv1.JobCondition, pods []corev1.Pod) train.Status {
	if end.Type == batchv1.JobComplete {
		return train.Status{Phase: train.PhaseSucceeded}
	}
	if end.Reason == batchv1.JobReasonDeadlineExceeded {
		return train.Status{Phase: train.PhaseFailed, ExitCode: 137, Reason: "deadline exceeded", Cause: train.CauseDeadline}
	}
	if st, ok := firstFailure(pods); ok {
		return st
	}
	// Deleted by hand, by a drain or with its node: nobody can say more.
	return train.Status{Phase: train.PhaseFailed, ExitCode: 137, Cause: train.CauseDisrupted,
		Reason: words("the pod is gone", end.Message)}
}

// alive is the status of a job that has not ended.
func (b *Backend) alive(job *batchv1.Job, pods []corev1.Pod, now time.Time) train.Status {
	pending := train.Status{Phase: train.PhasePending}
	if target := conditionOf(job, batchv1.JobFailureTarget); target != nil && len(pods) > 1 && target.Reason != batchv1.JobReasonDeadlineExceeded {
		if st, ok := firstFailure(pods); ok { // the others are being deleted
			return st
		}
	}
	running := map[int]bool{}
	for _, p := range pods {
		switch {
		case overdue(p, now):
			if target := conditionOf(job, batchv1.JobFailureTarget); target != nil && target.Reason == batchv1.JobReasonDeadlineExceeded {
				return final(target, pods)
			}
			return train.Status{Phase: train.PhaseFailed, ExitCode: 137, Cause: train.CauseDisrupted,
				Reason: of(p, cmp.Or(disruption(p), "the pod should be gone and its node "+p.Spec.NodeName+" does not say so"))}
		case runs(p):
			if since, silent := silentSince(p); silent && now.After(since.Add(b.cfg.NodeLoss)) {
				return train.Status{Phase: train.PhaseFailed, ExitCode: 137, Cause: train.CauseDisrupted,
					Reason: of(p, fmt.Sprintf("node %s has not answered for %s", p.Spec.NodeName, b.cfg.NodeLoss))}
			}
			running[rank(p)] = true
		default:
			pending.Reason = why(p)
		}
	}
	workers := 1
	if job.Spec.Completions != nil {
		workers = int(*job.Spec.Completions)
	}
	switch {
	case suspended(job) && slices.ContainsFunc(pods, busy):
		return train.Status{Phase: train.PhaseRunning} // as one that is told to end: it may yet report
	case interrupted(job):
		return train.Status{Phase: train.PhaseFailed, ExitCode: 137, Cause: train.CauseDisrupted, Reason: "suspended by " + queue(job)}
	case suspended(job):
		pending.Reason = "waits in " + queue(job)
	case len(running) >= workers:
		return train.Status{Phase: train.PhaseRunning}
	case workers > 1:
		pending.Reason = words(fmt.Sprintf("waits for %d of %d pods", workers-len(running), workers), pending.Reason)
	}
	return pending
}

func suspended(job *batchv1.Job) bool { return job.Spec.Suspend != nil && *job.Spec.Suspend }

// interrupted reports that a job was let go and suspended again, whether it still is or not. Another pod of it would come
// to an attempt that the first one has taken. A queue makes it suspended, and lets it go by its first change; without a queue
// other changes may be anybody's.
func interrupted(job *batchv1.Job) bool {
	return job.Generation > 1 && suspended(job) || job.Generation > 2 && job.Labels[labelQueue] != ""
}

// queue is what holds a job back, in words.
func queue(job *batchv1.Job) string {
	if q := job.Labels[labelQueue]; q != "" {
		return "the queue " + q
	}
	return "a queue of the cluster"
}
