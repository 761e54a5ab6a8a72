package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/signalbox-ml/signalbox/consumers/train/kubebackend"
	"github.com/signalbox-ml/signalbox/consumers/train/kubebackend/kubetest"
)

// TestKubernetes trains on a real Kubernetes, with everything else real too: the example's own workflow first, then one
// whose jobs meet every end that a cluster can bring.
func TestKubernetes(t *testing.T) {
	cluster, err := kubetest.Start(t.TempDir(), kubetest.ModeAuto)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	})
	if cluster.Mode != kubetest.ModeNode {
		t.Log("NOT TESTED: jobs in containers need root and a machine that lets its network and control groups be changed")
		return
	}
	k := &kubeWorld{cluster: cluster, image: trainerImage(t, cluster)}
	k.namespace(t)
	k.world = newWorld(t, realAt(t, cluster.NodeIP, k.config(t)))
	for _, step := range []struct {
		name string
		do   func(*testing.T)
	}{
		{"declares the example, once", k.declares},
		{"turns events into a model", k.turns},
		{"keeps what a job left when the cluster has forgotten it", k.keeps},
		{"gives more memory to a job that ran out of it", k.escalates},
		{"ends a job at its deadline", k.deadline},
		{"trains again what was evicted", k.evicted},
		{"trains again what was deleted", k.deleted},
		{"lets one of two pods publish", k.fenced},
		{"loses nothing with the API server", k.apiServer},
		{"goes on with its jobs after a crash of its own", k.crash},
		{"gives up a node that is silent", k.nodeLost},
		{"stops what is cancelled", k.cancelled},
		{"trains one model in two pods", k.workers},
		{"has one package for each run at most", k.onePackage},
	} {
		if !t.Run(step.name, step.do) {
			return // what follows stands on it
		}
	}
}

// kubeWorld is a world whose jobs are a cluster's.
type kubeWorld struct {
	*world
	cluster *kubetest.Cluster
	client  kubernetes.Interface
	ns      string
	image   string
	runs    []string // every run that the test has asked for
}

// trainerImage builds the image that jobs run, from the Python environment of this machine, without a registry.
func trainerImage(t *testing.T, c *kubetest.Cluster) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "root")
	cmd := exec.Command("go", "run", "../kube", "rootfs", "python", "--python", python, "--source", "../../services/trainer/src", "--out", root)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("root file system of the trainer: %v\n%s", err, complaint.String())
	}
	var made struct{ Env []string }
	if err := json.Unmarshal(out, &made); err != nil {
		t.Fatal(err)
	}
	args := []string{"--user", "65532:65532"}
	for _, e := range made.Env {
		args = append(args, "--env", e)
	}
	image, err := c.Image(root, "localhost/trainer:1", args...)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// namespace makes one that admits only restricted pods.
func (k *kubeWorld) namespace(t *testing.T) {
	t.Helper()
	var err error
	if k.client, err = kubebackend.Connect(k.cluster.Kubeconfig); err != nil {
		t.Fatal(err)
	}
	k.ns = "training"
	_, err = k.client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: k.ns, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// config is what an operator writes.
func (k *kubeWorld) config(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "signalbox.yaml")
	text := fmt.Sprintf(`training:
  max_parallel: 3
  max_attempts: 2
  deadline: 5m
  classes:
    CPU: {backend: kubernetes, cpu: 200m, memory: 640Mi, scratch: 1Gi}
    HIGH_MEMORY: {backend: kubernetes, cpu: 200m, memory: 1500Mi, scratch: 1Gi}
    SHORT: {backend: kubernetes, kind: short, cpu: 200m, memory: 640Mi, scratch: 1Gi, deadline: 12s}
  kubernetes:
    kubeconfig: %s
    namespace: %s
    image: %s
    pull_policy: Never
    node_loss: 2s
    grace: 2s
`, k.cluster.Kubeconfig, k.ns, k.image)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// patient is a workflow whose jobs take their time, or all the memory that they are told to.
const patient = `
apiVersion: signalbox.dev/v1
kind: Workflow
metadata: {name: patient}
spec:
  entrypoint: patient:Patient
  files:
    patient.py:
      content: |
        import time
        import lightgbm as lgb
        from signalbox import Workflow
        class Patient(Workflow):
            def train(self, training_dataframe, holdout_dataframe):
                for i in range(int(self.custom_params.get("steps", 0))):
                    self.log_metric("progress", i, step=i)
                    print("step", i, flush=True)
                    time.sleep(0.25)
                hoard = b"x" * (int(self.custom_params.get("hog_mib", 0)) << 20)
                data = lgb.Dataset(training_dataframe[["departure_delay"]], training_dataframe[self.classifier_label])
                return lgb.train({"objective": "binary", **self.lightgbm_params, "num_leaves": 4}, data, num_boost_round=2)
`

// ask requests a run of the patient workflow.
func (k *kubeWorld) ask(t *testing.T, class, params string) string {
	t.Helper()
	id := k.train(t, fmt.Appendf(nil, `{"model_name":"patient","owner":"e2e","project":"cluster","compute_resource":%q,
	  "data":{"features":[{"dataset":"flight-delay@latest"}]},
	  "train":{"workflow_name":"patient","classifier_features":["departure_delay"],"label":"late","custom_params":%s}}`, class, params))
	k.runs = append(k.runs, id)
	return id
}

// kubeRun is what the API says of a run.
type kubeRun struct {
	State, Package, Executor string
	Attempt                  int
	ComputeClass             string `json:"compute_class"`
	Exception                struct{ Type, Message string }
	History                  []struct {
		State        string `json:"job_state"`
		Attempt      int
		Reason       string
		ComputeClass string `json:"compute_class"`
	}
}

func (k *kubeWorld) look(t *testing.T, id string) kubeRun {
	t.Helper()
	var run kubeRun
	if err := k.world.client.Get(t.Context(), "/v1/runs/"+id, &run); err != nil {
		t.Fatal(err)
	}
	return run
}

// until waits for a run to be where ok wants it.
func (k *kubeWorld) until(t *testing.T, id, what string, ok func(kubeRun) bool) kubeRun {
	t.Helper()
	var run kubeRun
	await(t, 3*time.Minute, what, func() (bool, error) {
		run = k.look(t, id)
		return ok(run), fmt.Errorf("%+v", run)
	})
	return run
}

// stepping waits until the job of an attempt is in the middle of its work.
func (k *kubeWorld) stepping(t *testing.T, id string, attempt int) kubeRun {
	t.Helper()
	return k.until(t, id, "the job to work", func(r kubeRun) bool {
		if r.State == "failed" || r.State == "complete" {
			t.Fatalf("the run ended before anybody saw its job work: %+v", r)
		}
		if r.Attempt != attempt || r.State != "running" {
			return false
		}
		status, log := k.world.get(t, fmt.Sprintf("%s/v1/runs/%s/logs", k.Control, id))
		return status == 200 && strings.Contains(string(log), "step 3\n")
	})
}

func (k *kubeWorld) wantEnd(t *testing.T, id, state string, attempt int) kubeRun {
	t.Helper()
	run := k.until(t, id, "the end of the run", func(r kubeRun) bool { return r.State == "complete" || r.State == "failed" || r.State == "cancelled" })
	if run.State != state || run.Attempt != attempt || (run.Package != "") != (state == "complete") {
		t.Errorf("run is %+v, want %s at attempt %d", run, state, attempt)
	}
	return run
}

// wantLog wants a line once in a run's whole log.
func (k *kubeWorld) wantLog(t *testing.T, id, line string) {
	t.Helper()
	if log := k.log(t, id, "run complete"); strings.Count(log, line) != 1 {
		t.Errorf("the log has %q %d times:\n%s", line, strings.Count(log, line), log)
	}
}

// pods are those of a run.
func (k *kubeWorld) pods(ctx context.Context, t *testing.T, id string) []corev1.Pod {
	t.Helper()
	list, err := k.client.CoreV1().Pods(k.ns).List(ctx, metav1.ListOptions{LabelSelector: "signalbox.dev/run=" + id})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}
