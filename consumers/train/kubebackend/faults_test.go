package kubebackend_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/consumers/train/kubebackend"
	"github.com/signalbox-ml/signalbox/consumers/train/kubebackend/kubetest"
	"github.com/signalbox-ml/signalbox/registry"
)

// patience bounds a wait for the cluster.
const patience = 2 * time.Minute

func newJob(class string) train.Job {
	return train.Job{Run: registry.RunID(uuid.New()), Attempt: 1, ComputeClass: class, Spec: []byte("{}"), Model: "m", Owner: "tests"}
}

// begun submits a job and waits until it runs.
func (s *stage) begun(b *kubebackend.Backend) train.Job {
	s.t.Helper()
	j := newJob("CPU")
	if err := b.Submit(s.t.Context(), j); err != nil {
		s.t.Fatal(err)
	}
	s.await(b, j, func(st train.Status, err error) bool { return err == nil && st.Phase == train.PhaseRunning })
	return j
}

// await polls the status until it is as wanted. Errors of a server that is away are part of the polls.
func (s *stage) await(b *kubebackend.Backend, j train.Job, ok func(train.Status, error) bool) train.Status {
	s.t.Helper()
	timeout, tick := time.After(patience), time.NewTicker(50*time.Millisecond)
	defer tick.Stop()
	for {
		st, err := b.Status(s.t.Context(), j.Run, j.Attempt)
		if ok(st, err) {
			return st
		}
		select {
		case <-tick.C:
		case <-timeout:
			s.t.Fatalf("still %+v, %v", st, err)
		}
	}
}

func (s *stage) wantFailed(b *kubebackend.Backend, j train.Job, cause train.Cause, words string) {
	s.t.Helper()
	st := s.await(b, j, func(st train.Status, err error) bool { return err == nil && st.Phase == train.PhaseFailed })
	if st.Cause != cause || !strings.Contains(st.Reason, words) {
		s.t.Errorf("status %+v, want cause %q and %q", st, cause, words)
	}
}

func (s *stage) wantSuccess(b *kubebackend.Backend, j train.Job) {
	s.t.Helper()
	s.tell(j.Run, j.Attempt, "exit 0")
	s.await(b, j, func(st train.Status, err error) bool { return err == nil && st.Phase == train.PhaseSucceeded })
}

// pod is the pod of a job.
func (s *stage) pod(j train.Job) corev1.Pod {
	s.t.Helper()
	list, err := s.client.CoreV1().Pods(s.namespace).List(s.t.Context(), metav1.ListOptions{LabelSelector: "signalbox.dev/run=" + j.Run.String()})
	if err != nil || len(list.Items) != 1 {
		s.t.Fatalf("%d pods, %v, want one", len(list.Items), err)
	}
	return list.Items[0]
}

func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	b, _ := s.backend(quick)
	j := s.begun(b)
	s.tell(j.Run, 1, "memory")
	s.wantFailed(b, j, train.CauseOutOfMemory, "out of memory")
}

// A job that fills its disk is evicted for it, which is its own fault.
func TestScratchExceeded(t *testing.T) {
	if theCluster.Mode != kubetest.ModeNode {
		t.Log("NOT TESTED: there is no node whose disk could be filled")
		return
	}
	t.Parallel()
	s := newStage(t)
	b, _ := s.backend(quick)
	j := s.begun(b)
	s.tell(j.Run, 1, "disk")
	s.wantFailed(b, j, "", "exceeds the")
}

func TestEvicted(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	b, _ := s.backend(quick)
	j := s.begun(b)
	err := s.client.PolicyV1().Evictions(s.namespace).Evict(t.Context(), &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: s.pod(j).Name, Namespace: s.namespace}})
	if err != nil {
		t.Fatal(err)
	}
	s.wantFailed(b, j, train.CauseDisrupted, "")
}

func TestPodDeleted(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	b, _ := s.backend(quick)
	j := s.begun(b)
	if err := s.client.CoreV1().Pods(s.namespace).Delete(t.Context(), s.pod(j).Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	s.wantFailed(b, j, train.CauseDisrupted, "")
}

// Somebody deletes the Job: the run must hear of it, and never wait for a job that nobody will start again.
func TestJobDeleted(t *testing.T) {
	for _, policy := range []metav1.DeletionPropagation{metav1.DeletePropagationForeground, metav1.DeletePropagationBackground} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			b, _ := s.backend(quick)
			j := s.begun(b)
			err := s.client.BatchV1().Jobs(s.namespace).Delete(t.Context(), s.pod(j).Labels["batch.kubernetes.io/job-name"], metav1.DeleteOptions{PropagationPolicy: &policy})
			if err != nil {
				t.Fatal(err)
			}
			s.await(b, j, func(st train.Status, err error) bool {
				return errors.Is(err, train.ErrNoJob) || err == nil && st.Phase == train.PhaseFailed && st.Cause == train.CauseDisrupted
			})
		})
	}
}

// The API server is killed twice while a job runs: nobody takes the job for lost, and its end is seen.
func TestAPIServerRestarts(t *testing.T) {
	s := newStage(t)
	b, _ := s.backend(quick)
	j := s.begun(b)
	for range 2 {
		pid := theCluster.Pid("kube-apiserver")
		if err := theCluster.Signal("kube-apiserver", syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		s.await(b, j, func(st train.Status, err error) bool {
			if errors.Is(err, train.ErrNoJob) || err == nil && st.Phase != train.PhaseRunning {
				t.Errorf("the job is taken for %+v, %v", st, err)
			}
			_, err = s.client.CoreV1().Namespaces().Get(t.Context(), s.namespace, metav1.GetOptions{})
			return err == nil && theCluster.Pid("kube-apiserver") != pid
		})
	}
	s.wantSuccess(b, j)
}

// The API server hangs: watches say nothing, and neither may anybody conclude anything.
func TestAPIServerHangs(t *testing.T) {
	s := newStage(t)
	b, _ := s.backend(quick)
	j := s.begun(b)
	if err := theCluster.Signal("kube-apiserver", syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	s.tell(j.Run, 1, "exit 0")
	if st, err := b.Status(t.Context(), j.Run, 1); err != nil || st.Phase != train.PhaseRunning {
		t.Errorf("without a server: %+v, %v, want what was known last", st, err)
	}
	if err := theCluster.Signal("kube-apiserver", syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	s.await(b, j, func(st train.Status, err error) bool { return err == nil && st.Phase == train.PhaseSucceeded })
}

// The node stops answering while the job goes on there: the attempt is given up, and the next one can be made.
func TestNodeLost(t *testing.T) {
	if theCluster.Mode != kubetest.ModeNode {
		t.Log("NOT TESTED: there is no node to lose")
		return
	}
	s := newStage(t)
	b, _ := s.backend(quick, func(c *kubebackend.Config) { c.NodeLoss = 2 * time.Second })
	j := s.begun(b)
	if err := theCluster.Signal("kubelet", syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := theCluster.Signal("kubelet", syscall.SIGCONT); err != nil {
			t.Error(err)
		}
		s.awaitNode()
	})
	s.wantFailed(b, j, train.CauseDisrupted, "")
	second := j
	second.Attempt = 2
	if err := b.Submit(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	st := s.await(b, second, func(st train.Status, err error) bool { return err == nil && st.Reason != "" })
	if st.Phase != train.PhasePending || !strings.Contains(st.Reason, "waits for") {
		t.Errorf("second attempt: %+v, want one that waits for a node", st)
	}
	if err := theCluster.Signal("kubelet", syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	s.await(b, second, func(st train.Status, err error) bool { return err == nil && st.Phase == train.PhaseRunning })
	s.wantSuccess(b, second)
}

// awaitNode waits until pods can be scheduled again.
func (s *stage) awaitNode() {
	timeout, tick := time.After(patience), time.NewTicker(100*time.Millisecond)
	defer tick.Stop()
	for {
		nodes, err := s.client.CoreV1().Nodes().List(s.t.Context(), metav1.ListOptions{})
		if s.t.Context().Err() != nil || err == nil && len(nodes.Items) == 1 && len(nodes.Items[0].Spec.Taints) == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-timeout:
			s.t.Error("the node does not come back")
			return
		}
	}
}

func TestWhyPending(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	_, err := s.client.CoreV1().ResourceQuotas(s.namespace).Create(t.Context(), &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "none"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourceRequestsMemory: resource.MustParse("512Gi")}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b, _ := s.backend(quick, func(c *kubebackend.Config) {
		class := c.Classes["CPU"]
		class.Memory = "400Gi"
		c.Classes["HUGE"] = class
		class.Memory = "600Gi"
		c.Classes["OVER_QUOTA"] = class
		class.Memory, class.Image = "64Mi", "localhost/none@sha256:"+strings.Repeat("1", 64)
		c.Classes["NO_IMAGE"] = class
	})
	tests := map[string]string{"OVER_QUOTA": "exceeded quota: none"}
	if theCluster.Mode == kubetest.ModeNode {
		tests["HUGE"], tests["NO_IMAGE"] = "Insufficient memory", "ErrImageNeverPull"
	}
	for class, words := range tests {
		j := newJob(class)
		if err := b.Submit(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		st := s.await(b, j, func(st train.Status, err error) bool { return err == nil && strings.Contains(st.Reason, words) })
		if st.Phase != train.PhasePending {
			t.Errorf("%s: %+v, want pending", class, st)
		}
	}
}

// Submit of what cannot become a Job says so: the machine fails such a run at once.
func TestSubmitRefuses(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	b, _ := s.backend()
	big := newJob("CPU")
	big.Files = map[string]string{"workflow/big.py": strings.Repeat("#", 1<<20)}
	for name, j := range map[string]train.Job{"unknown class": newJob("TPU"), "too large": big} {
		if err := b.Submit(t.Context(), j); !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
	if jobs, err := b.Jobs(t.Context()); err != nil || len(jobs) != 0 {
		t.Errorf("jobs %v, %v", jobs, err)
	}
}

func TestJobsListsOurs(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	b, _ := s.backend(quick)
	other, _ := s.backend(quick, func(c *kubebackend.Config) { c.Instance = "another" })
	mine, theirs := newJob("CPU"), newJob("CPU")
	if err := errors.Join(b.Submit(t.Context(), mine), other.Submit(t.Context(), theirs)); err != nil {
		t.Fatal(err)
	}
	jobs, err := b.Jobs(t.Context())
	if err != nil || len(jobs) != 1 || jobs[0] != (train.Attempt{Run: mine.Run, N: 1}) {
		t.Errorf("jobs %v, %v, want %s/1", jobs, err, mine.Run)
	}
}
