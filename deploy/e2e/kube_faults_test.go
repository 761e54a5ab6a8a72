package e2e_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const twentySeconds = `{"steps": 80}`

// keeps looks at the first run once its Job is deleted: log, figures and series are the store's.
func (k *kubeWorld) keeps(t *testing.T) {
	k.apply(t, patient)
	id := k.ask(t, "CPU", `{"steps": 5}`)
	run := k.wantEnd(t, id, "complete", 1)
	if run.ComputeClass != "CPU" || run.Executor == "" {
		t.Errorf("class %q, executor %q", run.ComputeClass, run.Executor)
	}
	await(t, time.Minute, "the job to be forgotten", func() (bool, error) { return len(k.pods(t.Context(), t, id)) == 0, nil })
	secrets, err := k.client.CoreV1().Secrets(k.ns).List(t.Context(), metav1.ListOptions{LabelSelector: "signalbox.dev/run=" + id})
	if err != nil || len(secrets.Items) != 0 {
		t.Errorf("%d secrets are left, %v", len(secrets.Items), err)
	}
	k.wantLog(t, id, "step 4\n")
	var figures struct {
		Series map[string][]struct{ Step, Value float64 }
	}
	if err := k.world.client.Get(t.Context(), "/v1/runs/"+id+"/metrics", &figures); err != nil || len(figures.Series["progress"]) != 5 {
		t.Errorf("series %+v, %v", figures.Series, err)
	}
}

func (k *kubeWorld) escalates(t *testing.T) {
	id := k.ask(t, "CPU", `{"hog_mib": 800}`)
	run := k.wantEnd(t, id, "complete", 2)
	if run.ComputeClass != "HIGH_MEMORY" {
		t.Errorf("class %s at the end", run.ComputeClass)
	}
	var said struct {
		Attestations []struct {
			Type string
			Body struct {
				Run      string `json:"run_id"`
				Attempts []struct {
					ComputeClass string `json:"compute_class"`
					GivenUp      string `json:"given_up"`
				}
			}
		}
	}
	if err := k.world.client.Get(t.Context(), "/v1/packages/"+run.Package+"/attestations", &said); err != nil {
		t.Fatal(err)
	}
	for _, a := range said.Attestations {
		if a.Type == "provenance" && a.Body.Run == id {
			if n := a.Body.Attempts; len(n) != 2 || n[0].ComputeClass != "CPU" || !strings.HasPrefix(n[0].GivenUp, "OutOfMemory") || n[1].ComputeClass != "HIGH_MEMORY" {
				t.Errorf("provenance says %+v", n)
			}
			return
		}
	}
	t.Errorf("no provenance of run %s: %+v", id, said)
}

func (k *kubeWorld) deadline(t *testing.T) {
	run := k.wantEnd(t, k.ask(t, "SHORT", `{"steps": 400}`), "failed", 1)
	if !strings.Contains(run.Exception.Message, "deadline") {
		t.Errorf("exception %+v", run.Exception)
	}
}

func (k *kubeWorld) evicted(t *testing.T) {
	id := k.ask(t, "CPU", twentySeconds)
	k.stepping(t, id, 1)
	for _, p := range k.pods(t.Context(), t, id) {
		err := k.client.PolicyV1().Evictions(k.ns).Evict(t.Context(), &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: p.Name, Namespace: k.ns}})
		if err != nil {
			t.Fatal(err)
		}
	}
	k.wantEnd(t, id, "complete", 2)
}

func (k *kubeWorld) deleted(t *testing.T) {
	id := k.ask(t, "CPU", twentySeconds)
	k.stepping(t, id, 1)
	background := metav1.DeletePropagationBackground
	if err := k.client.BatchV1().Jobs(k.ns).Delete(t.Context(), "run-"+id+"-1", metav1.DeleteOptions{PropagationPolicy: &background}); err != nil {
		t.Fatal(err)
	}
	run := k.wantEnd(t, id, "complete", 2)
	if !strings.Contains(fmt.Sprint(run.History), "JobLost") {
		t.Errorf("history %+v does not say why", run.History)
	}
}

// fenced starts a second pod of a Job, as Kubernetes may: it has the same document and the same token.
func (k *kubeWorld) fenced(t *testing.T) {
	id := k.ask(t, "CPU", twentySeconds)
	before := k.stepping(t, id, 1)
	first := k.pods(t.Context(), t, id)[0]
	twin := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "twin", Namespace: k.ns}, Spec: first.Spec}
	twin.Spec.NodeName, twin.Spec.Hostname = "", ""
	if _, err := k.client.CoreV1().Pods(k.ns).Create(t.Context(), twin, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, time.Minute, "the second pod to leave", func() (bool, error) {
		p, err := k.client.CoreV1().Pods(k.ns).Get(t.Context(), "twin", metav1.GetOptions{})
		if err != nil || len(p.Status.ContainerStatuses) == 0 || p.Status.ContainerStatuses[0].State.Terminated == nil {
			return false, err
		}
		if code := p.Status.ContainerStatuses[0].State.Terminated.ExitCode; code != 3 {
			t.Errorf("the second pod ended with %d, want 3", code)
		}
		return true, nil
	})
	run := k.wantEnd(t, id, "complete", 1)
	if run.Executor != before.Executor || run.Executor != string(first.UID) {
		t.Errorf("executor %s at the end, %s before, the first pod is %s", run.Executor, before.Executor, first.UID)
	}
	k.wantLog(t, id, "step 39\n")
}

// apiServer kills the API server while a job runs, and again before another one can be submitted.
func (k *kubeWorld) apiServer(t *testing.T) {
	id := k.ask(t, "CPU", twentySeconds)
	k.stepping(t, id, 1)
	if err := k.cluster.Signal("kube-apiserver", syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	second := k.ask(t, "CPU", `{}`)
	k.wantEnd(t, id, "complete", 1)
	k.wantEnd(t, second, "complete", 1)
}

// crash kills the process that follows the jobs; the next one adopts them.
func (k *kubeWorld) crash(t *testing.T) {
	working := k.ask(t, "CPU", twentySeconds)
	k.stepping(t, working, 1)
	waiting := k.ask(t, "CPU", `{}`)
	k.serves["train"]()
	k.wantEnd(t, working, "complete", 1)
	k.wantEnd(t, waiting, "complete", 1)
	k.wantLog(t, working, "step 39\n")
}

// nodeLost stops the kubelet: the container goes on and reports, but its attempt no longer counts.
func (k *kubeWorld) nodeLost(t *testing.T) {
	id := k.ask(t, "CPU", `{"steps": 110}`)
	k.stepping(t, id, 1)
	if err := k.cluster.Signal("kubelet", syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	k.until(t, id, "another attempt", func(r kubeRun) bool { return r.Attempt == 2 })
	if err := k.cluster.Signal("kubelet", syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	run := k.wantEnd(t, id, "complete", 2)
	if !strings.Contains(fmt.Sprint(run.History), "has not answered") {
		t.Errorf("history %+v does not say why", run.History)
	}
}

func (k *kubeWorld) cancelled(t *testing.T) {
	id := k.ask(t, "CPU", `{"steps": 1000}`)
	k.stepping(t, id, 1)
	k.cli(t, "runs", "cancel", id)
	k.wantEnd(t, id, "cancelled", 1)
	await(t, time.Minute, "the pod to end", func() (bool, error) { return len(k.pods(t.Context(), t, id)) == 0, nil })
}

// onePackage counts, over everything that happened, the packages that say to be of each run.
func (k *kubeWorld) onePackage(t *testing.T) {
	var list struct{ Packages []struct{ ID string } }
	if err := k.world.client.Get(t.Context(), "/v1/packages?model=patient&limit=1000", &list); err != nil {
		t.Fatal(err)
	}
	made := map[string]int{}
	for _, p := range list.Packages {
		var said struct {
			Attestations []struct {
				Type string
				Body json.RawMessage
			}
		}
		if err := k.world.client.Get(t.Context(), "/v1/packages/"+p.ID+"/attestations", &said); err != nil {
			t.Fatal(err)
		}
		for _, a := range said.Attestations {
			var body struct {
				Run string `json:"run_id"`
			}
			if a.Type == "provenance" && json.Unmarshal(a.Body, &body) == nil {
				made[body.Run]++
			}
		}
	}
	for _, id := range k.runs {
		want := 0
		if k.look(t, id).State == "complete" {
			want = 1
		}
		if made[id] != want {
			t.Errorf("run %s made %d packages, want %d", id, made[id], want)
		}
	}
	if len(k.runs) < 10 {
		t.Errorf("only %d runs", len(k.runs))
	}
}
