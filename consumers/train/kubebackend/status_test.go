package kubebackend

import (
	"strconv"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signalbox-ml/signalbox/consumers/train"
)

// now is when the statuses below are read.
var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// pod is a pod of a job, changed.
func pod(phase corev1.PodPhase, change ...func(*corev1.Pod)) corev1.Pod {
	p := corev1.Pod{Spec: corev1.PodSpec{NodeName: "node-1"}, Status: corev1.PodStatus{Phase: phase}}
	for _, f := range change {
		f(&p)
	}
	return p
}

func container(state corev1.ContainerState) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "sidecar"}, {Name: containerName, State: state}}
	}
}

func exit(code int32, reason, message string) func(*corev1.Pod) {
	return container(corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason, Message: message}})
}

func disrupted(reason, message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: reason, Message: message})
	}
}

func evicted(message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Status.Reason, p.Status.Message = "Evicted", message }
}

func leaving(since time.Duration) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: now.Add(-since)} }
}

// deleted is a pod that somebody deleted before now, with 30 s to end, and whose container ended before now.
func deleted(since, end time.Duration) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.DeletionTimestamp = &metav1.Time{Time: now.Add(30*time.Second - since)}
		p.DeletionGracePeriodSeconds = new(int64(30))
		p.Status.ContainerStatuses[1].State.Terminated.FinishedAt = metav1.NewTime(now.Add(-end))
	}
}

func silent(since time.Duration) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{
			{Type: corev1.PodReady, Status: corev1.ConditionFalse, LastTransitionTime: metav1.NewTime(now.Add(-since))},
			{Type: corev1.ContainersReady, Status: corev1.ConditionTrue},
		}
	}
}

func TestFinalStatus(t *testing.T) {
	failed := batchv1.JobCondition{Type: batchv1.JobFailed, Reason: batchv1.JobReasonBackoffLimitExceeded, Message: "Job has reached the specified backoff limit"}
	for name, tc := range map[string]struct {
		end   batchv1.JobCondition
		pods  []corev1.Pod
		phase train.Phase
		exit  int
		cause train.Cause
		words string
	}{
		"complete":                               {batchv1.JobCondition{Type: batchv1.JobComplete}, nil, train.PhaseSucceeded, 0, "", ""},
		"deadline":                               {batchv1.JobCondition{Type: batchv1.JobFailed, Reason: batchv1.JobReasonDeadlineExceeded}, nil, train.PhaseFailed, 137, train.CauseDeadline, "deadline"},
		"exit status":                            {failed, []corev1.Pod{pod(corev1.PodFailed, exit(3, "Error", "Traceback\nValueError: no rows\n"))}, train.PhaseFailed, 3, "", "exit status 3: ValueError: no rows"},
		"signal":                                 {failed, []corev1.Pod{pod(corev1.PodFailed, exit(139, "Error", ""))}, train.PhaseFailed, 139, "", "killed by signal 11"},
		"launcher's words":                       {failed, []corev1.Pod{pod(corev1.PodFailed, exit(1, "Error", `{"reason":"exit status 1"}`))}, train.PhaseFailed, 1, "", "exit status 1"},
		"launcher's words and the job's":         {failed, []corev1.Pod{pod(corev1.PodFailed, exit(1, "Error", `{"reason":"exit status 1","last":"ValueError: no rows"}`))}, train.PhaseFailed, 1, "", "exit status 1: ValueError: no rows"},
		"oom, by kubelet":                        {failed, []corev1.Pod{pod(corev1.PodFailed, exit(137, "OOMKilled", ""))}, train.PhaseFailed, 137, train.CauseOutOfMemory, "out of memory"},
		"oom, by launcher":                       {failed, []corev1.Pod{pod(corev1.PodFailed, exit(137, "Error", `{"reason":"out of memory","limit_bytes":536870912,"peak_bytes":536866816}`))}, train.PhaseFailed, 137, train.CauseOutOfMemory, "limit 512 MiB, peak 511 MiB"},
		"oom of a pod that the node then evicts": {failed, []corev1.Pod{pod(corev1.PodFailed, exit(137, "OOMKilled", ""), evicted("The node was low on resource: memory."))}, train.PhaseFailed, 137, train.CauseOutOfMemory, "out of memory"},
		"evicted by kubelet":                     {failed, []corev1.Pod{pod(corev1.PodFailed, evicted("The node was low on resource: memory."))}, train.PhaseFailed, 0, train.CauseDisrupted, "low on resource"},
		"scratch too small":                      {failed, []corev1.Pod{pod(corev1.PodFailed, evicted("Pod ephemeral local storage usage exceeds the total limit of containers 1Gi."), exit(137, "Error", ""))}, train.PhaseFailed, 137, "", "exceeds the total limit"},
		"drained":                                {failed, []corev1.Pod{pod(corev1.PodFailed, exit(143, "Error", ""), disrupted("EvictionByEvictionAPI", "Eviction API: evicting"))}, train.PhaseFailed, 143, train.CauseDisrupted, "evicting"},
		"preempted":                              {failed, []corev1.Pod{pod(corev1.PodFailed, exit(143, "Error", ""), disrupted("PreemptionByScheduler", "preempting to accommodate a higher priority pod"))}, train.PhaseFailed, 143, train.CauseDisrupted, "higher priority"},
		"pod gone":                               {failed, nil, train.PhaseFailed, 137, train.CauseDisrupted, "the pod is gone"},
		"deleted by hand":                        {failed, []corev1.Pod{pod(corev1.PodFailed, exit(143, "Error", ""), deleted(10*time.Second, 5*time.Second))}, train.PhaseFailed, 143, train.CauseDisrupted, "the pod was deleted"},
		"deleted after its end":                  {failed, []corev1.Pod{pod(corev1.PodFailed, exit(1, "Error", ""), deleted(10*time.Second, 30*time.Second))}, train.PhaseFailed, 1, "", "exit status 1"},
		"first pod fenced":                       {failed, []corev1.Pod{pod(corev1.PodSucceeded), pod(corev1.PodFailed, exit(3, "Error", ""))}, train.PhaseFailed, 3, "", "exit status 3"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.end.Status = corev1.ConditionTrue
			job := &batchv1.Job{Status: batchv1.JobStatus{Conditions: []batchv1.JobCondition{{Type: batchv1.JobFailureTarget, Status: corev1.ConditionTrue}, tc.end}}}
			wantStatus(t, final(condition(job), tc.pods), tc.phase, tc.exit, tc.cause, tc.words)
		})
	}
}

func wantStatus(t *testing.T, st train.Status, phase train.Phase, exit int, cause train.Cause, words string) {
	t.Helper()
	if st.Phase != phase || st.ExitCode != exit || st.Cause != cause || !strings.Contains(st.Reason, words) || (words == "") != (st.Reason == "") {
		t.Errorf("status %+v, want %s, exit code %d, cause %q and %q", st, phase, exit, cause, words)
	}
}

func TestStatusOfLiveJobs(t *testing.T) {
	waiting := func(reason, message string) func(*corev1.Pod) {
		return container(corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}})
	}
	running := container(corev1.ContainerState{Running: &corev1.ContainerStateRunning{}})
	unscheduled := func(p *corev1.Pod) {
		p.Spec.NodeName = ""
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/3 nodes are available: 3 Insufficient memory."}}
	}
	// held is a job of a queue whose spec was changed that often.
	held := func(changes int64, suspend bool) *batchv1.Job {
		return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Generation: 1 + changes, Labels: map[string]string{labelQueue: "team-a"}}, Spec: batchv1.JobSpec{Suspend: &suspend}}
	}
	for name, tc := range map[string]struct {
		job   *batchv1.Job
		pods  []corev1.Pod
		phase train.Phase
		cause train.Cause
		words string
	}{
		"held back":          {held(0, true), nil, train.PhasePending, "", "waits in the queue team-a"},
		"let go, no pod yet": {held(1, false), nil, train.PhasePending, "", ""},
		"let go":             {held(1, false), []corev1.Pod{pod(corev1.PodRunning, running)}, train.PhaseRunning, "", ""},
		"held back again, and its pod may end in peace": {held(2, true), []corev1.Pod{pod(corev1.PodRunning, running, leaving(-10*time.Second))}, train.PhaseRunning, "", ""},
		"held back again, and its pod never began":      {held(2, true), []corev1.Pod{pod(corev1.PodPending, leaving(-10*time.Second))}, train.PhaseFailed, train.CauseDisrupted, "suspended by the queue team-a"},
		"held back again, and its pod has ended":        {held(2, true), []corev1.Pod{pod(corev1.PodFailed, exit(143, "Error", ""), leaving(0))}, train.PhaseFailed, train.CauseDisrupted, "suspended by the queue team-a"},
		"held back again, and its node is lost":         {held(2, true), []corev1.Pod{pod(corev1.PodRunning, running, leaving(time.Minute))}, train.PhaseFailed, train.CauseDisrupted, "node-1"},
		"held back again":                               {held(3, true), nil, train.PhaseFailed, train.CauseDisrupted, "suspended by the queue team-a"},
		"let go again, with another pod":                {held(3, false), []corev1.Pod{pod(corev1.PodRunning, running)}, train.PhaseFailed, train.CauseDisrupted, "suspended by the queue team-a"},
		"edited by hand":                                {&batchv1.Job{ObjectMeta: metav1.ObjectMeta{Generation: 3}}, []corev1.Pod{pod(corev1.PodRunning, running)}, train.PhaseRunning, "", ""},
		"suspended by hand":                             {&batchv1.Job{ObjectMeta: metav1.ObjectMeta{Generation: 2}, Spec: batchv1.JobSpec{Suspend: new(true)}}, nil, train.PhaseFailed, train.CauseDisrupted, "suspended by a queue of the cluster"},
		"no pod yet":                                    {&batchv1.Job{}, nil, train.PhasePending, "", ""},
		"unschedulable":                                 {&batchv1.Job{}, []corev1.Pod{pod(corev1.PodPending, unscheduled)}, train.PhasePending, "", "waits for a node: 0/3 nodes are available: 3 Insufficient memory."},
		"not seen by anybody":                           {&batchv1.Job{}, []corev1.Pod{pod(corev1.PodPending, func(p *corev1.Pod) { p.Spec.NodeName = "" })}, train.PhasePending, "", "waits for the scheduler"},
		"being started":                                 {&batchv1.Job{}, []corev1.Pod{pod(corev1.PodPending, waiting("ContainerCreating", ""))}, train.PhasePending, "", ""},
		"no image":                                      {&batchv1.Job{}, []corev1.Pod{pod(corev1.PodPending, waiting("ImagePullBackOff", `Back-off pulling image "x"`))}, train.PhasePending, "", `ImagePullBackOff: Back-off pulling image "x"`},
		"running":                                       {&batchv1.Job{}, []corev1.Pod{pod(corev1.PodRunning, running)}, train.PhaseRunning, "", ""},
		"end not reported yet":                          {&batchv1.Job{}, []corev1.Pod{pod(corev1.PodRunning, running, leaving(5*time.Second))}, train.PhaseRunning, "", ""},
		"deadline on a lost node": {&batchv1.Job{Status: batchv1.JobStatus{Conditions: []batchv1.JobCondition{{Type: batchv1.JobFailureTarget, Status: corev1.ConditionTrue, Reason: batchv1.JobReasonDeadlineExceeded}}}},
			[]corev1.Pod{pod(corev1.PodRunning, running, leaving(time.Minute))}, train.PhaseFailed, train.CauseDeadline, "deadline"},
		"told to end":              {&batchv1.Job{}, []corev1.Pod{pod(corev1.PodRunning, running, leaving(-10*time.Second), disrupted("DeletionByTaintManager", "Taint manager: deleting"))}, train.PhaseRunning, "", ""},
		"node is lost":             {&batchv1.Job{}, []corev1.Pod{pod(corev1.PodRunning, running, leaving(time.Minute), disrupted("DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint"))}, train.PhaseFailed, train.CauseDisrupted, "NoExecute taint"},
		"node is silent":           {&batchv1.Job{}, []corev1.Pod{pod(corev1.PodRunning, running, silent(61*time.Second))}, train.PhaseFailed, train.CauseDisrupted, "node-1 has not answered for 1m0s"},
		"node is silent, not long": {&batchv1.Job{}, []corev1.Pod{pod(corev1.PodRunning, running, silent(59*time.Second))}, train.PhaseRunning, "", ""},
		"node says nothing":        {&batchv1.Job{}, []corev1.Pod{pod(corev1.PodRunning, running, leaving(11*time.Second))}, train.PhaseFailed, train.CauseDisrupted, "node-1"},
	} {
		t.Run(name, func(t *testing.T) {
			st := newBackend(t).alive(tc.job, tc.pods, now)
			exit := 0
			if tc.phase == train.PhaseFailed {
				exit = 137
			}
			wantStatus(t, st, tc.phase, exit, tc.cause, tc.words)
		})
	}
}

// worker makes a pod the one of a rank.
func worker(n int) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Annotations = map[string]string{batchv1.JobCompletionIndexAnnotation: strconv.Itoa(n)}
	}
}

// at is when a pod's container ended.
func at(before time.Duration) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		for i := range p.Status.ContainerStatuses {
			if t := p.Status.ContainerStatuses[i].State.Terminated; t != nil {
				t.FinishedAt = metav1.NewTime(now.Add(-before))
			}
		}
	}
}

func TestStatusOfSeveralWorkers(t *testing.T) {
	running := container(corev1.ContainerState{Running: &corev1.ContainerStateRunning{}})
	unscheduled := func(p *corev1.Pod) {
		p.Spec.NodeName = ""
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/3 nodes are available"}}
	}
	failing := batchv1.JobStatus{Conditions: []batchv1.JobCondition{{Type: batchv1.JobFailureTarget, Status: corev1.ConditionTrue, Reason: batchv1.JobReasonBackoffLimitExceeded}}}
	up := func(n int, more ...func(*corev1.Pod)) corev1.Pod {
		return pod(corev1.PodRunning, append([]func(*corev1.Pod){running, worker(n)}, more...)...)
	}
	down := func(n int, code int32, reason string, more ...func(*corev1.Pod)) corev1.Pod {
		return pod(corev1.PodFailed, append([]func(*corev1.Pod){exit(code, reason, ""), worker(n)}, more...)...)
	}
	done := pod(corev1.PodSucceeded, exit(0, "Completed", ""), worker(1))
	for name, tc := range map[string]struct {
		status batchv1.JobStatus
		pods   []corev1.Pod
		phase  train.Phase
		exit   int
		cause  train.Cause
		words  string
	}{
		"none yet":                {pods: nil, phase: train.PhasePending, words: "waits for 3 of 3 pods"},
		"one waits for a node":    {pods: []corev1.Pod{up(0), up(1), pod(corev1.PodPending, unscheduled, worker(2))}, phase: train.PhasePending, words: "waits for 1 of 3 pods: waits for a node: 0/3 nodes are available"},
		"one is not there":        {pods: []corev1.Pod{up(0), up(2)}, phase: train.PhasePending, words: "waits for 1 of 3 pods"},
		"two pods of one rank":    {pods: []corev1.Pod{up(0), up(1), up(1)}, phase: train.PhasePending, words: "waits for 1 of 3 pods"},
		"all run":                 {pods: []corev1.Pod{up(0), up(1), up(2)}, phase: train.PhaseRunning},
		"one is done":             {pods: []corev1.Pod{up(0), done, up(2)}, phase: train.PhaseRunning},
		"one failed, others end":  {failing, []corev1.Pod{up(0, leaving(time.Second)), down(1, 7, "Error"), up(2)}, train.PhaseFailed, 7, "", "rank 1: exit status 7"},
		"others failed by it":     {failing, []corev1.Pod{down(0, 1, "Error", at(time.Second)), down(1, 139, "Error", at(2*time.Second)), up(2)}, train.PhaseFailed, 139, "", "rank 1: killed by signal 11"},
		"deleted for it":          {failing, []corev1.Pod{down(0, 143, "Error", at(2*time.Second), leaving(0)), down(2, 7, "Error", at(2*time.Second))}, train.PhaseFailed, 7, "", "rank 2: exit status 7"},
		"one had too much memory": {failing, []corev1.Pod{down(0, 1, "Error", at(3*time.Second)), down(1, 137, "OOMKilled", at(2*time.Second))}, train.PhaseFailed, 137, train.CauseOutOfMemory, "rank 1: out of memory"},
		"one was evicted":         {failing, []corev1.Pod{down(0, 1, "Error"), down(2, 143, "Error", leaving(0), disrupted("EvictionByEvictionAPI", "evicting"))}, train.PhaseFailed, 143, train.CauseDisrupted, "rank 2: EvictionByEvictionAPI: evicting"},
		"the node of one is lost": {pods: []corev1.Pod{up(0), up(1, leaving(time.Minute)), up(2)}, phase: train.PhaseFailed, exit: 137, cause: train.CauseDisrupted, words: "rank 1: the pod should be gone"},
		"that of one is silent":   {pods: []corev1.Pod{up(0), up(1), up(2, silent(2*time.Minute))}, phase: train.PhaseFailed, exit: 137, cause: train.CauseDisrupted, words: "rank 2: node node-1 has not answered"},
	} {
		t.Run(name, func(t *testing.T) {
			job := &batchv1.Job{Spec: batchv1.JobSpec{Completions: new(int32(3))}, Status: tc.status}
			wantStatus(t, newBackend(t).alive(job, tc.pods, now), tc.phase, tc.exit, tc.cause, tc.words)
		})
	}
}
