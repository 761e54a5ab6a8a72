package kubebackend_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/consumers/train/kubebackend"
	"github.com/signalbox-ml/signalbox/consumers/train/kubebackend/kubetest"
)

// spread submits a job with two workers and waits until both run.
func (s *stage) spread(b *kubebackend.Backend) train.Job {
	s.t.Helper()
	j := newJob("CPU")
	j.Workers = 2
	if err := b.Submit(s.t.Context(), j); err != nil {
		s.t.Fatal(err)
	}
	s.await(b, j, func(st train.Status, err error) bool {
		if err == nil && st.Phase == train.PhasePending && !strings.HasPrefix(st.Reason, "waits for ") {
			s.t.Errorf("while it waits: %+v", st)
		}
		return err == nil && st.Phase == train.PhaseRunning
	})
	return j
}

// tellRank makes a worker of a job do something.
func (s *stage) tellRank(j train.Job, rank int, order string) {
	s.order(worker(fmt.Sprintf("run-%s-%d", j.Run, j.Attempt), fmt.Sprint(rank))) <- order
}

// alive are the pods of a job that have not ended.
func (s *stage) alive(j train.Job) []string {
	s.t.Helper()
	list, err := s.client.CoreV1().Pods(s.namespace).List(s.t.Context(), metav1.ListOptions{LabelSelector: "signalbox.dev/run=" + j.Run.String()})
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, p := range list.Items {
		if p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed {
			out = append(out, p.Name)
		}
	}
	return out
}

func TestWorkersSucceedTogether(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	b, _ := s.backend(quick)
	j := s.spread(b)
	s.tellRank(j, 1, "exit 0")
	s.await(b, j, func(st train.Status, err error) bool {
		if err != nil || st.Phase != train.PhaseRunning {
			t.Fatalf("with one of two workers: %+v, %v, want running", st, err)
		}
		return len(s.alive(j)) == 1
	})
	s.tellRank(j, 0, "exit 0")
	s.await(b, j, func(st train.Status, err error) bool { return err == nil && st.Phase == train.PhaseSucceeded })
	if theCluster.Mode != kubetest.ModeNode {
		return // nothing was printed
	}
	r, err := b.Log(t.Context(), j.Run, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if out, err := io.ReadAll(r); err != nil || string(out) != "begin\nend\n" {
		t.Errorf("log %q, %v, want that of rank 0", out, err)
	}
}

func TestOneWorkerFailsAll(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	b, _ := s.backend(quick)
	for order, want := range map[string]train.Status{
		"exit 7": {ExitCode: 7, Reason: "rank 1: exit status 7"},
		"memory": {ExitCode: 137, Reason: "rank 1: out of memory", Cause: train.CauseOutOfMemory},
	} {
		j := s.spread(b)
		s.tellRank(j, 1, order)
		st := s.await(b, j, func(st train.Status, err error) bool { return err == nil && st.Phase == train.PhaseFailed })
		if st.ExitCode != want.ExitCode || st.Cause != want.Cause || !strings.HasPrefix(st.Reason, want.Reason) {
			t.Errorf("%s: status %+v, want %+v", order, st, want)
		}
		// The cluster ends the other one, and the reason stays.
		s.await(b, j, func(train.Status, error) bool { return len(s.alive(j)) == 0 })
		if again := s.await(b, j, func(_ train.Status, err error) bool { return err == nil }); again != st {
			t.Errorf("%s: %+v became %+v", order, st, again)
		}
	}
}

func TestCancelEndsEveryWorker(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	b, _ := s.backend(quick)
	j := s.spread(b)
	s.await(b, j, func(train.Status, error) bool { return b.Cancel(t.Context(), j.Run, 1) == nil })
	if pods := s.alive(j); len(pods) > 0 {
		t.Errorf("pods %v are there after the cancellation", pods)
	}
}

// A cluster that has room for one worker says that it is not for all.
func TestWorkersWaitForEachOther(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	_, err := s.client.CoreV1().ResourceQuotas(s.namespace).Create(t.Context(), &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "one"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("1")}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b, _ := s.backend(quick)
	j := newJob("CPU")
	j.Workers = 2
	if err := b.Submit(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	s.await(b, j, func(st train.Status, err error) bool {
		if err == nil && st.Phase != train.PhasePending {
			t.Fatalf("with one of two workers: %+v, want pending", st)
		}
		return err == nil && strings.HasPrefix(st.Reason, "waits for 1 of 2 pods")
	})
}
