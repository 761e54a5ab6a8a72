//go:build linux

package kubebackend_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/consumers/train/kubebackend"
	"github.com/signalbox-ml/signalbox/consumers/train/kubebackend/kubetest"
)

// kueueWithin bounds the start of Kueue, its build from source included.
const kueueWithin = 30 * time.Minute

// TestKueue runs the real Kueue, with its webhooks, on a cluster of its own without nodes: one that has Kueue takes no Job
// when Kueue is gone.
func TestKueue(t *testing.T) {
	dir := t.TempDir()
	cluster, err := kubetest.Start(dir, kubetest.ModeAPI)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), kueueWithin)
	defer cancel()
	operator, err := cluster.Kueue(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := operator.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(operator.Said())
		}
	})
	t.Run("jobs", func(t *testing.T) { // which end before Kueue does
		for name, test := range map[string]func(*testing.T, *queueStage){
			"one after the other":             testOneAfterTheOther,
			"a job that ends makes room":      testEndMakesRoom,
			"workers come together":           testWorkersTogether,
			"preempted":                       testPreempted,
			"the queue of a job is not there": testNoQueue,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, newQueueStage(t, cluster, stageOn))
			})
		}
		t.Run("where the manifests are installed", func(t *testing.T) {
			t.Parallel()
			testOneAfterTheOther(t, newQueueStage(t, cluster, installedOn))
		})
	})
}

// queueStage is a stage where Kueue is.
type queueStage struct {
	*stage
	objects dynamic.Interface
}

func newQueueStage(t *testing.T, cluster *kubetest.Cluster, on func(*testing.T, *kubetest.Cluster) *stage) *queueStage {
	t.Helper()
	objects, err := kubebackend.ConnectDynamic(cluster.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	return &queueStage{stage: on(t, cluster), objects: objects}
}

// kind is a kind of Kueue.
func (s *queueStage) kind(resource string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "kueue.x-k8s.io", Version: "v1beta2", Resource: resource}
}

func (s *queueStage) create(resource, namespace, object string) {
	s.t.Helper()
	var u unstructured.Unstructured
	if err := json.Unmarshal([]byte(object), &u.Object); err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.objects.Resource(s.kind(resource)).Namespace(namespace).Create(s.t.Context(), &u, metav1.CreateOptions{}); err != nil {
		s.t.Fatal(err)
	}
}

// open makes the queue team-a, and what the operator of a cluster makes: its quota, for all that pods ask for, and the nodes
// that it is for. A pod of the class CPU asks for 50m.
func (s *queueStage) open(cpu string) {
	s.t.Helper()
	s.create("resourceflavors", "", fmt.Sprintf(`{"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "ResourceFlavor", "metadata": {"name": %q},
		"spec": {"nodeLabels": {"pool": "training"}}}`, s.namespace))
	s.create("clusterqueues", "", fmt.Sprintf(`{"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "ClusterQueue", "metadata": {"name": %[1]q}, "spec": {
		"namespaceSelector": {}, "preemption": {"withinClusterQueue": "LowerPriority"},
		"resourceGroups": [{"coveredResources": ["cpu", "memory", "ephemeral-storage"], "flavors": [{"name": %[1]q, "resources": [
			{"name": "cpu", "nominalQuota": %[2]q}, {"name": "memory", "nominalQuota": "10Gi"}, {"name": "ephemeral-storage", "nominalQuota": "10Gi"}]}]}]}}`, s.namespace, cpu))
	s.create("localqueues", s.namespace, fmt.Sprintf(`{"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "LocalQueue", "metadata": {"name": "team-a"}, "spec": {"clusterQueue": %q}}`, s.namespace))
}

// queued makes classes wait in the queue.
func queued(c *kubebackend.Config) {
	class := c.Classes["CPU"]
	class.Queue = "team-a"
	c.Classes["CPU"] = class
}

// submit submits a job of a class.
func (s *queueStage) submit(b *kubebackend.Backend, class string, workers int) train.Job {
	s.t.Helper()
	j := newJob(class)
	j.Workers = workers
	if err := b.Submit(s.t.Context(), j); err != nil {
		s.t.Fatal(err)
	}
	return j
}

func (s *queueStage) awaitRunning(b *kubebackend.Backend, j train.Job) {
	s.t.Helper()
	s.await(b, j, func(st train.Status, err error) bool { return err == nil && st.Phase == train.PhaseRunning })
}

// wantHeldBack waits until Kueue has looked at the job and found no room, and checks that it waits.
func (s *queueStage) wantHeldBack(b *kubebackend.Backend, j train.Job) {
	s.t.Helper()
	st := s.await(b, j, func(train.Status, error) bool { return slices.ContainsFunc(s.workloads(j), noQuota) })
	if st.Phase != train.PhasePending || st.Reason != "waits in the queue team-a" {
		s.t.Errorf("status %+v, want one that names the queue", st)
	}
	job := train.JobName(j.Run, j.Attempt)
	pods, err := s.client.CoreV1().Pods(s.namespace).List(s.t.Context(), metav1.ListOptions{LabelSelector: batchv1.JobNameLabel + "=" + job})
	if err != nil || len(pods.Items) > 0 {
		s.t.Errorf("%d pods of a job that waits, %v", len(pods.Items), err)
	}
}

// cancel ends an attempt, as the machine does.
func (s *queueStage) cancel(b *kubebackend.Backend, j train.Job) {
	s.t.Helper()
	s.await(b, j, func(train.Status, error) bool {
		err := b.Cancel(s.t.Context(), j.Run, j.Attempt)
		if err != nil && !errors.Is(err, train.ErrEnding) {
			s.t.Fatal(err)
		}
		return err == nil
	})
}

// workloads are what Kueue has of an attempt.
func (s *queueStage) workloads(j train.Job) []unstructured.Unstructured {
	s.t.Helper()
	list, err := s.objects.Resource(s.kind("workloads")).Namespace(s.namespace).List(s.t.Context(), metav1.ListOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	return slices.DeleteFunc(list.Items, func(w unstructured.Unstructured) bool {
		return !slices.ContainsFunc(w.GetOwnerReferences(), func(o metav1.OwnerReference) bool { return o.Name == train.JobName(j.Run, j.Attempt) })
	})
}

// noQuota reports that Kueue has looked at a workload and has no quota for it.
func noQuota(w unstructured.Unstructured) bool {
	conditions, _, err := unstructured.NestedSlice(w.Object, "status", "conditions")
	return err == nil && slices.ContainsFunc(conditions, func(c any) bool {
		m, ok := c.(map[string]any)
		return ok && m["type"] == "QuotaReserved" && m["status"] == "False"
	})
}

func testOneAfterTheOther(t *testing.T, s *queueStage) {
	s.open("50m")
	b, _ := s.backend(quick, queued)
	first := s.submit(b, "CPU", 1)
	s.awaitRunning(b, first)
	if nodes := s.pod(first).Spec.NodeSelector; nodes["pool"] != "training" {
		t.Errorf("the pod may go to nodes with %v, want those of the queue", nodes)
	}
	second := s.submit(b, "CPU", 1)
	s.wantHeldBack(b, second)
	s.cancel(b, first)
	s.awaitRunning(b, second)
	s.await(b, second, func(train.Status, error) bool { return len(s.workloads(first)) == 0 })
	s.wantSuccess(b, second)
}

func testEndMakesRoom(t *testing.T, s *queueStage) {
	s.open("50m")
	b, _ := s.backend(quick, queued)
	first := s.submit(b, "CPU", 1)
	s.awaitRunning(b, first)
	second := s.submit(b, "CPU", 1)
	s.wantHeldBack(b, second)
	s.wantSuccess(b, first)
	s.awaitRunning(b, second)
	waiting := s.submit(b, "CPU", 1)
	s.wantHeldBack(b, waiting)
	s.cancel(b, waiting) // of one that waits
	s.await(b, second, func(train.Status, error) bool { return len(s.workloads(waiting)) == 0 })
}

// Several workers get room for all of them, or none does.
func testWorkersTogether(t *testing.T, s *queueStage) {
	s.open("100m")
	b, _ := s.backend(quick, queued)
	one := s.submit(b, "CPU", 1)
	s.awaitRunning(b, one)
	both := s.submit(b, "CPU", 2)
	s.wantHeldBack(b, both)
	s.cancel(b, one)
	s.awaitRunning(b, both)
	if pods := s.alive(both); len(pods) != 2 {
		t.Errorf("pods %v, want two", pods)
	}
	s.tellRank(both, 0, "exit 0")
	s.tellRank(both, 1, "exit 0")
	s.await(b, both, func(st train.Status, err error) bool { return err == nil && st.Phase == train.PhaseSucceeded })
}

// A job that the queue takes back ends as disrupted, and stays so when the queue lets it go again: its second pod would come
// to an attempt that the first one has taken. The next attempt waits for its turn.
func testPreempted(t *testing.T, s *queueStage) {
	s.open("50m")
	_, err := s.client.SchedulingV1().PriorityClasses().Create(t.Context(), &schedulingv1.PriorityClass{
		ObjectMeta: metav1.ObjectMeta{Name: s.namespace}, Value: 1000,
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b, _ := s.backend(quick, queued, func(c *kubebackend.Config) {
		urgent := c.Classes["CPU"]
		urgent.PriorityClass = s.namespace
		c.Classes["URGENT"] = urgent
	})
	first := s.submit(b, "CPU", 1)
	s.awaitRunning(b, first)
	urgent := s.submit(b, "URGENT", 1)
	taken := func(st train.Status, err error) bool {
		if err == nil && st.Phase == train.PhasePending {
			t.Fatalf("after it had run: %+v", st)
		}
		return err == nil && st.Phase == train.PhaseFailed
	}
	if st := s.await(b, first, taken); st.Cause != train.CauseDisrupted || !strings.HasPrefix(st.Reason, "suspended by the queue team-a") {
		t.Errorf("status %+v, want disrupted by the queue", st)
	}
	s.await(b, first, func(st train.Status, err error) bool { // Kueue's own words, once it has said them
		return taken(st, err) && strings.HasPrefix(st.Reason, "suspended by the queue team-a: Preempted to accommodate")
	})
	s.awaitRunning(b, urgent)

	s.wantSuccess(b, urgent) // so that there is room again
	s.await(b, first, func(st train.Status, err error) bool {
		taken(st, err)
		return len(s.alive(first)) == 1
	})
	if st := s.await(b, first, taken); st.Cause != train.CauseDisrupted {
		t.Errorf("let go again: %+v, want disrupted", st)
	}
	second := first
	second.Attempt = 2
	if err := b.Submit(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	s.wantHeldBack(b, second)
	s.cancel(b, first)
	s.awaitRunning(b, second)
	s.wantSuccess(b, second)
}

// A queue that nobody has made yet is waited for.
func testNoQueue(t *testing.T, s *queueStage) {
	b, _ := s.backend(quick, queued)
	j := s.submit(b, "CPU", 1)
	s.wantHeldBack(b, j)
	s.open("50m")
	s.awaitRunning(b, j)
	s.wantSuccess(b, j)
}
