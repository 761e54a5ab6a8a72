package kubebackend

import (
	"cmp"
	"context"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
)

// why says what a pod waits for, in the cluster's own words.
func why(p corev1.Pod) string {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return "waits for a node: " + cmp.Or(c.Message, c.Reason)
		}
	}
	for _, c := range p.Status.ContainerStatuses {
		if w := c.State.Waiting; w != nil && w.Reason != "ContainerCreating" && w.Reason != "PodInitializing" {
			return "waits for its container: " + words(w.Reason, w.Message)
		}
	}
	if p.Spec.NodeName != "" {
		return "" // it is being started
	}
	return "waits for the scheduler"
}

// whyNoPod looks for the reason why a job has no pod: a quota or an admission policy refused it.
func (b *Backend) whyNoPod(ctx context.Context, job *batchv1.Job) (string, error) {
	why, err := b.newestEvent(ctx, job, "FailedCreate")
	if err != nil || why == "" {
		return "", err
	}
	return "waits for its pod: " + why, nil
}

// newestEvent is the message of the last event of a job that has that reason; "" where there is none.
func (b *Backend) newestEvent(ctx context.Context, job *batchv1.Job, reason string) (string, error) {
	list, err := b.cfg.Client.CoreV1().Events(b.cfg.Namespace).List(ctx, metav1.ListOptions{
		FieldSelector: fields.Set{"involvedObject.name": job.Name, "involvedObject.kind": "Job", "reason": reason}.String(),
	})
	if err != nil {
		return "", err
	}
	newest := ""
	var at metav1.Time
	for _, e := range list.Items {
		if when := (metav1.Time{Time: e.LastTimestamp.Time}); newest == "" || at.Before(&when) {
			newest, at = e.Message, when
		}
	}
	return newest, nil
}
