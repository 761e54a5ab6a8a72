package kubebackend

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/signalbox-ml/signalbox/consumers/train"
)

func oldestFirst(pods []corev1.Pod) []corev1.Pod {
	slices.SortFunc(pods, func(a, b corev1.Pod) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	return pods
}

// rank is which worker of its job a pod is; -1 where the job has one.
func rank(p corev1.Pod) int {
	n, err := strconv.Atoi(p.Annotations[batchv1.JobCompletionIndexAnnotation])
	if err != nil {
		return -1
	}
	return n
}

// of puts the rank in front of what is said of a pod.
func of(p corev1.Pod, reason string) string {
	if n := rank(p); n >= 0 {
		return fmt.Sprintf("rank %d: %s", n, reason)
	}
	return reason
}

// ended reports that no container of the pod runs, or will.
func ended(p corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

// slack is what a kubelet may take to report the end of a pod.
const slack = 10 * time.Second

// overdue reports that the pod should be gone, and nobody says that it is: its node does not answer.
func overdue(p corev1.Pod, now time.Time) bool {
	return p.DeletionTimestamp != nil && now.After(p.DeletionTimestamp.Add(slack))
}

// silentSince is when the node of a pod stopped answering: then the node controller takes the pod's readiness away, and
// nothing else changes any more. Whether it also evicts the pod depends on how many other nodes are silent.
func silentSince(p corev1.Pod) (time.Time, bool) {
	var since time.Time
	ready, containers := true, false
	for _, c := range p.Status.Conditions {
		switch c.Type {
		case corev1.PodReady:
			ready, since = c.Status == corev1.ConditionTrue, c.LastTransitionTime.Time
		case corev1.ContainersReady:
			containers = c.Status == corev1.ConditionTrue
		}
	}
	return since, p.Status.Phase == corev1.PodRunning && !ready && containers
}

// runs reports that the job's container has started.
func runs(p corev1.Pod) bool {
	for _, c := range p.Status.ContainerStatuses {
		if c.Name == containerName {
			return c.State.Running != nil || c.State.Terminated != nil
		}
	}
	return false
}

// busy reports that the job's container has started and has not ended.
func busy(p corev1.Pod) bool { return runs(p) && !ended(p) }

// disruption is why the cluster ended the pod, in words; "" where it did not.
func disruption(p corev1.Pod) string {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.DisruptionTarget && c.Status == corev1.ConditionTrue {
			return words(cmp.Or(p.Status.Reason, c.Reason), cmp.Or(p.Status.Message, c.Message))
		}
	}
	switch p.Status.Reason { // the kubelet's and the node controller's
	case "Evicted", "NodeLost", "NodeShutdown", "Terminated", "NodeAffinity", "Preempting", "Shutdown", "UnexpectedAdmissionError", "OutOfcpu", "OutOfmemory", "OutOfpods":
		return words(p.Status.Reason, p.Status.Message)
	}
	return ""
}

// failure is why a pod failed. A pod that took more disk than its limit was evicted for it: another attempt would be too.
func failure(p corev1.Pod) train.Status {
	st := train.Status{Phase: train.PhaseFailed}
	if t := terminated(p); t != nil {
		st.ExitCode = int(t.ExitCode)
		st.Reason, st.Cause = lastWords(t)
	}
	if why := disruption(p); why != "" && st.Cause != train.CauseOutOfMemory {
		st.Reason, st.Cause = why, train.CauseDisrupted
		if strings.Contains(why, "exceeds the total limit") || strings.Contains(why, "exceeds the limit") || strings.Contains(why, "exceeded its local ephemeral storage limit") {
			st.Cause = ""
		}
	}
	st.Reason = of(p, cmp.Or(st.Reason, words(p.Status.Reason, p.Status.Message), fmt.Sprintf("exit status %d", st.ExitCode)))
	return st
}

// firstFailure is why the first of a job's pods failed. The others fail by it, or are deleted by the Job controller for it:
// what has a cause, and what nobody deleted, comes before them.
func firstFailure(pods []corev1.Pod) (train.Status, bool) {
	failed := slices.DeleteFunc(slices.Clone(pods), func(p corev1.Pod) bool { return p.Status.Phase != corev1.PodFailed })
	if len(failed) == 0 {
		return train.Status{}, false
	}
	p := slices.MinFunc(failed, func(a, b corev1.Pod) int {
		return cmp.Or(
			first(failure(a).Cause != "", failure(b).Cause != ""),
			first(a.DeletionTimestamp == nil, b.DeletionTimestamp == nil),
			endedAt(a).Compare(endedAt(b)),
			cmp.Compare(rank(a), rank(b)),
		)
	})
	st := failure(p)
	if st.Cause == "" && stopped(p) {
		st.Reason, st.Cause = of(p, "the pod was deleted"), train.CauseDisrupted
	}
	return st, true
}

// stopped reports that the container ended because somebody deleted the pod, whatever it said then.
func stopped(p corev1.Pod) bool {
	if p.DeletionTimestamp == nil || p.DeletionGracePeriodSeconds == nil {
		return false
	}
	asked := p.DeletionTimestamp.Add(-time.Duration(*p.DeletionGracePeriodSeconds) * time.Second)
	return !endedAt(p).Before(asked)
}

// first orders what is true before what is not.
func first(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// endedAt is when the pod's container ended, as far as anybody knows.
func endedAt(p corev1.Pod) time.Time {
	if t := terminated(p); t != nil {
		return t.FinishedAt.Time
	}
	return time.Time{}
}

func terminated(p corev1.Pod) *corev1.ContainerStateTerminated {
	for _, c := range p.Status.ContainerStatuses {
		if c.Name == containerName {
			return cmp.Or(c.State.Terminated, c.LastTerminationState.Terminated)
		}
	}
	return nil
}

// lastWords reads what the launcher left, or else what the kubelet saw.
func lastWords(t *corev1.ContainerStateTerminated) (string, train.Cause) {
	var left struct {
		Reason string `json:"reason"`
		Last   string `json:"last"` // line of the output
		Limit  int64  `json:"limit_bytes"`
		Peak   int64  `json:"peak_bytes"`
	}
	if json.Unmarshal([]byte(t.Message), &left) == nil && left.Reason != "" {
		if left.Reason == string(train.CauseOutOfMemory) {
			return fmt.Sprintf("%s: limit %d MiB, peak %d MiB", left.Reason, left.Limit>>20, left.Peak>>20), train.CauseOutOfMemory
		}
		return words(left.Reason, lastLine(left.Last)), ""
	}
	if t.Reason == "OOMKilled" {
		return "out of memory: the container reached its limit", train.CauseOutOfMemory
	}
	if t.Signal > 0 || t.ExitCode > 128 {
		return fmt.Sprintf("killed by signal %d", max(t.Signal, t.ExitCode-128)), ""
	}
	return words(fmt.Sprintf("exit status %d", t.ExitCode), lastLine(t.Message)), ""
}

// lastLine is the end of a text that may be long.
func lastLine(text string) string {
	text = strings.TrimSpace(text)
	text = text[strings.LastIndexByte(text, '\n')+1:]
	return strings.ToValidUTF8(text[max(0, len(text)-300):], "")
}

// words joins a short reason and what explains it.
func words(reason, message string) string {
	if reason == "" || message == "" || strings.Contains(message, reason) {
		return cmp.Or(message, reason)
	}
	return reason + ": " + message
}
