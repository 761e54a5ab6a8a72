package kuberay

import (
	"cmp"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/consumers/train/raybackend/internal/verdict"
)

// state is the status of a RayJob as the machine reads it.
func state(j *rayJob) train.Status {
	s := j.Status
	switch s.Deployment {
	case "Complete", "Failed", "ValidationFailed":
		return final(s)
	}
	if j.DeletionTimestamp != nil {
		return disrupted("the RayJob was deleted")
	}
	switch {
	case takenBack(j) && j.Spec.Suspend && s.Deployment != "Suspended":
		return train.Status{Phase: train.PhaseRunning} // as one that is told to end: it may yet report
	case takenBack(j):
		return disrupted("suspended by the queue " + j.Labels[labelQueue])
	case s.Deployment == "Running" && s.Job == "RUNNING":
		return train.Status{Phase: train.PhaseRunning}
	}
	return train.Status{Phase: train.PhasePending, Reason: waits(j)}
}

// takenBack reports that a queue has let a RayJob go and suspended it again, whether it still is or not. The cluster that
// it would get next is not the executor that has the attempt. Only the queue changes what a RayJob is: it is made
// suspended, and let go by its first change.
func takenBack(j *rayJob) bool {
	return j.Labels[labelQueue] != "" && (j.Generation > 2 || j.Spec.Suspend && j.Generation > 1)
}

// alive is the status of a RayJob that the operator is busy with. c is its cluster, nil where there is none.
//
// The operator sends jobs over HTTP, and for those it does not see that their head has ended: it would ask nobody for the
// job's state until the deadline. A cluster that was there once gets no second head.
func alive(j *rayJob, c *rayCluster) train.Status {
	st := state(j)
	if st.Phase == train.PhaseFailed {
		return st
	}
	if c == nil {
		if j.Status.Deployment == "Running" {
			return disrupted("the Ray cluster is gone")
		}
		return st
	}
	head := c.condition("HeadPodReady")
	if head.Reason == "HeadPodNotFound" && c.condition("RayClusterProvisioned").Status == metav1.ConditionTrue {
		return disrupted("the head of the Ray cluster is gone")
	}
	if j.Status.Deployment == "Initializing" {
		st.Reason += ": " + c.lacks()
	}
	return st
}

func (c *rayCluster) condition(kind string) metav1.Condition {
	for _, cond := range c.Status.Conditions {
		if cond.Type == kind {
			return cond
		}
	}
	return metav1.Condition{}
}

// lacks says what a cluster needs to be ready.
func (c *rayCluster) lacks() string {
	failure, head := c.condition("ReplicaFailure"), c.condition("HeadPodReady")
	switch {
	case failure.Status == metav1.ConditionTrue: // a quota, or pods that the cluster refuses
		return short(failure.Reason + ": " + failure.Message)
	case head.Status == metav1.ConditionTrue:
		return fmt.Sprintf("%d of %d workers are ready", c.Status.Ready, c.Status.Desired)
	case head.Reason == "" || head.Reason == "Unknown":
		return "its head waits for a node"
	}
	return short("its head is not ready: " + cmp.Or(head.Message, head.Reason))
}

// short keeps what people read to a line.
func short(s string) string {
	const most = 500
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + " ..."
}

// waits says what a RayJob waits for, in words.
func waits(j *rayJob) string {
	switch j.Status.Deployment {
	case "":
		if j.Spec.Suspend {
			return "waits in a queue of the cluster"
		}
		return "waits for the KubeRay operator"
	case "Suspending", "Suspended":
		return "waits in a queue of the cluster"
	case "Initializing", "Waiting", "Retrying":
		return "waits for its Ray cluster " + j.Status.Cluster
	}
	return "waits at Ray: " + cmp.Or(j.Status.Message, j.Status.Job, j.Status.Deployment)
}

// final is the status of a RayJob that ended. Complete says that the job at Ray ended, not how.
func final(s rayJobStatus) train.Status {
	switch {
	case s.Reason == "DeadlineExceeded":
		return train.Status{Phase: train.PhaseFailed, ExitCode: 137, Reason: "deadline exceeded", Cause: train.CauseDeadline}
	case s.Deployment == "ValidationFailed":
		return train.Status{Phase: train.PhaseFailed, ExitCode: 137, Reason: cmp.Or(s.Message, "KubeRay refuses the RayJob")}
	case s.Job == "SUCCEEDED":
		return train.Status{Phase: train.PhaseSucceeded}
	case s.Job == "STOPPED":
		return disrupted("somebody stopped the job at Ray")
	case s.Job == "FAILED":
		return verdict.Failure{Message: s.Message, Ran: true}.Status()
	}
	return disrupted(cmp.Or(s.Message, s.Reason, "the Ray cluster did not come, or is gone"))
}

func disrupted(why string) train.Status {
	return train.Status{Phase: train.PhaseFailed, ExitCode: 137, Reason: why, Cause: train.CauseDisrupted}
}
