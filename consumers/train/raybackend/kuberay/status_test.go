package kuberay

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signalbox-ml/signalbox/consumers/train"
)

func TestState(t *testing.T) {
	deleted := func(j *rayJob) { j.DeletionTimestamp = &metav1.Time{} }
	suspended := func(j *rayJob) { j.Spec.Suspend = true }
	same := func(*rayJob) {}
	inQueue := func(generation int64, suspend bool) func(*rayJob) {
		return func(j *rayJob) {
			j.Labels, j.Generation, j.Spec.Suspend = map[string]string{labelQueue: "team-a"}, generation, suspend
		}
	}
	for name, tc := range map[string]struct {
		status rayJobStatus
		change func(*rayJob)
		phase  train.Phase
		exit   int
		cause  train.Cause
		words  string
	}{
		"new":               {rayJobStatus{}, same, train.PhasePending, 0, "", "operator"},
		"queued":            {rayJobStatus{}, suspended, train.PhasePending, 0, "", "queue"},
		"suspended":         {rayJobStatus{Deployment: "Suspended"}, same, train.PhasePending, 0, "", "queue"},
		"in its queue":      {rayJobStatus{Deployment: "Suspended"}, inQueue(1, true), train.PhasePending, 0, "", "queue"},
		"let go":            {rayJobStatus{Deployment: "Running", Job: "RUNNING"}, inQueue(2, false), train.PhaseRunning, 0, "", ""},
		"being taken back":  {rayJobStatus{Deployment: "Suspending", Job: "RUNNING"}, inQueue(3, true), train.PhaseRunning, 0, "", ""},
		"taken back":        {rayJobStatus{Deployment: "Suspended"}, inQueue(3, true), train.PhaseFailed, 137, train.CauseDisrupted, "the queue team-a"},
		"let go once more":  {rayJobStatus{Deployment: "Initializing"}, inQueue(4, false), train.PhaseFailed, 137, train.CauseDisrupted, "the queue team-a"},
		"cluster comes":     {rayJobStatus{Deployment: "Initializing", Cluster: "run-x-abc"}, same, train.PhasePending, 0, "", "run-x-abc"},
		"pending at Ray":    {rayJobStatus{Deployment: "Running", Job: "PENDING", Message: "Job has not started yet."}, same, train.PhasePending, 0, "", "not started"},
		"a state to come":   {rayJobStatus{Deployment: "Dreaming"}, same, train.PhasePending, 0, "", "Dreaming"},
		"running":           {rayJobStatus{Deployment: "Running", Job: "RUNNING"}, same, train.PhaseRunning, 0, "", ""},
		"succeeded":         {rayJobStatus{Deployment: "Complete", Job: "SUCCEEDED"}, same, train.PhaseSucceeded, 0, "", ""},
		"ended and deleted": {rayJobStatus{Deployment: "Complete", Job: "SUCCEEDED"}, deleted, train.PhaseSucceeded, 0, "", ""},
		"deleted":           {rayJobStatus{Deployment: "Running", Job: "RUNNING"}, deleted, train.PhaseFailed, 137, train.CauseDisrupted, "deleted"},
		"deadline":          {rayJobStatus{Deployment: "Failed", Job: "RUNNING", Reason: "DeadlineExceeded"}, same, train.PhaseFailed, 137, train.CauseDeadline, "deadline"},
		"exit status":       {rayJobStatus{Deployment: "Failed", Job: "FAILED", Reason: "AppFailed", Message: "Job entrypoint command failed with exit code 3, last available logs (truncated to 20,000 chars):\nValueError: no rows\n"}, same, train.PhaseFailed, 3, "", "exit status 3: ValueError"},
		"stopped":           {rayJobStatus{Deployment: "Complete", Job: "STOPPED"}, same, train.PhaseFailed, 137, train.CauseDisrupted, "stopped"},
		"no cluster":        {rayJobStatus{Deployment: "Failed", Reason: "SubmissionFailed"}, same, train.PhaseFailed, 137, train.CauseDisrupted, "SubmissionFailed"},
		"refused":           {rayJobStatus{Deployment: "ValidationFailed", Message: "bad name"}, same, train.PhaseFailed, 137, "", "bad name"},
	} {
		t.Run(name, func(t *testing.T) {
			j := &rayJob{Status: tc.status}
			tc.change(j)
			st := state(j)
			if st.Phase != tc.phase || st.ExitCode != tc.exit || st.Cause != tc.cause || !strings.Contains(st.Reason, tc.words) || (tc.words == "") != (st.Reason == "") {
				t.Errorf("%+v, want %s, exit code %d, cause %q and %q", st, tc.phase, tc.exit, tc.cause, tc.words)
			}
		})
	}
}

func TestAlive(t *testing.T) {
	is := func(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message}
	}
	cluster := func(conditions ...metav1.Condition) *rayCluster {
		return &rayCluster{Status: rayClusterStatus{Ready: 1, Desired: 3, Conditions: conditions}}
	}
	there := is("RayClusterProvisioned", metav1.ConditionTrue, "AllPodRunningAndReadyFirstTime", "")
	for name, tc := range map[string]struct {
		deployment, job string
		cluster         *rayCluster
		phase           train.Phase
		words           string
	}{
		"no cluster yet":     {"Initializing", "", nil, train.PhasePending, "waits for its Ray cluster"},
		"no pods yet":        {"Initializing", "", cluster(), train.PhasePending, "waits for a node"},
		"quota":              {"Initializing", "", cluster(is("ReplicaFailure", metav1.ConditionTrue, "FailedCreateHeadPod", "exceeded quota")), train.PhasePending, "FailedCreateHeadPod: exceeded quota"},
		"long words":         {"Initializing", "", cluster(is("ReplicaFailure", metav1.ConditionTrue, "X", strings.Repeat("日本", 500))), train.PhasePending, "..."},
		"no image":           {"Initializing", "", cluster(is("HeadPodReady", metav1.ConditionFalse, "ImagePullBackOff", "")), train.PhasePending, "ImagePullBackOff"},
		"workers to come":    {"Initializing", "", cluster(is("HeadPodReady", metav1.ConditionTrue, "HeadPodRunningAndReady", "")), train.PhasePending, "1 of 3 workers"},
		"first head to come": {"Initializing", "", cluster(is("HeadPodReady", metav1.ConditionFalse, "HeadPodNotFound", "Head Pod not found")), train.PhasePending, "Head Pod not found"},
		"running":            {"Running", "RUNNING", cluster(there, is("HeadPodReady", metav1.ConditionTrue, "HeadPodRunningAndReady", "")), train.PhaseRunning, ""},
		"head not ready":     {"Running", "RUNNING", cluster(there, is("HeadPodReady", metav1.ConditionFalse, "ContainersNotReady", "")), train.PhaseRunning, ""},
		"head lost":          {"Running", "RUNNING", cluster(there, is("HeadPodReady", metav1.ConditionFalse, "HeadPodNotFound", "")), train.PhaseFailed, "head of the Ray cluster is gone"},
		"cluster lost":       {"Running", "RUNNING", nil, train.PhaseFailed, "cluster is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			st := alive(&rayJob{Status: rayJobStatus{Deployment: tc.deployment, Job: tc.job, Cluster: "run-x-abc"}}, tc.cluster)
			if st.Phase != tc.phase || !strings.Contains(st.Reason, tc.words) || len(st.Reason) > 600 || (st.Phase == train.PhaseFailed) != (st.Cause == train.CauseDisrupted) {
				t.Errorf("%+v, want %s and %q", st, tc.phase, tc.words)
			}
		})
	}
}
