package kubebackend

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/registry"
)

const digestImage = "registry.test/signalbox/trainer@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// hostile are texts that somebody might hope to reach a pod with.
func hostile() []string {
	return []string{
		"", "CPU", "a", "x/y", "nvidia.com/gpu", "latest", "root", "0", "-1", "1", "2Gi", "999Ei", "1e400", "500m", "true", "null",
		"privileged", "hostNetwork: true", "../../etc/passwd", "/var/run/docker.sock", "{\"privileged\":true}", "\x00", "a\nb", "日本",
		"docker.io/library/alpine:latest", digestImage, digestImage + "0", "@sha256:", "LD_PRELOAD", "PATH", "NVIDIA_VISIBLE_DEVICES",
		"HTTP_PROXY", "PYTHONPATH", "ld_preload", "LD PRELOAD", "SIGNALBOX_EXECUTOR", "OMP_NUM_THREADS", "job.json", "workflow/../job.json",
		"container.apparmor.security.beta.kubernetes.io/job", "unconfined", "kube-system", "system-node-critical", "gvisor",
		strings.Repeat("a", 300), "hugepages-2Mi", "kubernetes.io/hostname",
	}
}

// mutant makes classes and jobs out of hostile texts; half of what it makes is what an operator might write.
type mutant struct{ *rand.Rand }

func (m mutant) text() string { return hostile()[m.IntN(len(hostile()))] }

func (m mutant) or(good string) string {
	if m.IntN(5) > 0 {
		return good
	}
	return m.text()
}

func (m mutant) texts(good string) map[string]string {
	out := map[string]string{}
	for range m.IntN(3) {
		out[m.or(good)] = m.or("1")
	}
	return out
}

func (m mutant) class() Class {
	c := Class{
		Image: m.or(digestImage), CPU: m.or("500m"), Memory: m.or("2Gi"), Scratch: m.or("1Gi"), LimitCPU: m.IntN(2) == 0,
		Devices: m.texts("nvidia.com/gpu"), NodeSelector: m.texts("pool"), Queue: m.or("queue"), PriorityClass: m.or("low"),
		RuntimeClass: m.or("gvisor"), Env: m.texts("MODEL_HUB"),
	}
	if m.IntN(2) == 0 {
		c.Tolerations = m.json([]any{map[string]any{m.or("key"): m.text(), "operator": m.or("Exists"), "effect": m.text()}})
	}
	if m.IntN(3) == 0 {
		c.Affinity = m.json(map[string]any{m.or("nodeAffinity"): map[string]any{"requiredDuringSchedulingIgnoredDuringExecution": map[string]any{
			"nodeSelectorTerms": []any{map[string]any{"matchExpressions": []any{map[string]any{"key": m.text(), m.or("operator"): m.text()}}}},
		}}})
	}
	return c
}

func (m mutant) json(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func (m mutant) job() train.Job {
	j := train.Job{
		Run: registry.RunID(uuid.New()), Attempt: m.IntN(100), Spec: []byte(m.text()), ComputeClass: "CPU",
		Workers: []int{-1, 0, 1, 2, 4, 512}[m.IntN(6)], Deadline: time.Duration(m.Int64()), Model: m.text(), Project: m.text(), Owner: m.text(), Files: map[string]string{},
	}
	for range m.IntN(4) {
		j.Files[m.text()] = m.text()
	}
	return j
}

// TestNoSpecGivesAPrivilegedPod builds Jobs from classes and requests that mean no good, and has upstream's own library
// judge each pod by the strictest standard.
func TestNoSpecGivesAPrivilegedPod(t *testing.T) {
	judge, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	built, refused := 0, 0
	for seed := uint64(1); built < 1000; seed++ {
		m := mutant{rand.New(rand.NewPCG(seed, 0))}
		b, err := New(Config{Client: fake.NewClientset(), Namespace: "training", Classes: map[string]Class{"CPU": m.class()}})
		if err != nil {
			if refused++; refused > 50_000 {
				t.Fatalf("%d classes refused and only %d accepted: the mutants are too wild to prove anything", refused, built)
			}
			continue
		}
		built++
		j := m.job()
		job, err := b.job(j, b.cfg.Classes["CPU"])
		if err != nil {
			t.Fatal(err)
		}
		wantRestricted(t, seed, judge, job)
		wantOurs(t, seed, job)
		wantWorkers(t, seed, job, max(1, j.Workers))
	}
	t.Logf("%d jobs judged, %d classes refused before", built, refused)
}

func wantRestricted(t *testing.T, seed uint64, judge policy.Evaluator, job *batchv1.Job) {
	t.Helper()
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	pod := job.Spec.Template
	for _, r := range judge.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec) {
		if !r.Allowed {
			t.Errorf("seed %d: %s: %s", seed, r.ForbiddenReason, r.ForbiddenDetail)
		}
	}
}

// wantOurs checks what the standard leaves open and we promise.
func wantOurs(t *testing.T, seed uint64, job *batchv1.Job) {
	t.Helper()
	pod := job.Spec.Template.Spec
	c := pod.Containers[0]
	faults := map[string]bool{
		"more than one container":    len(pod.Containers) != 1 || len(pod.InitContainers) > 0 || len(pod.EphemeralContainers) > 0,
		"a service account":          pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken || pod.ServiceAccountName != "",
		"the host":                   pod.HostNetwork || pod.HostPID || pod.HostIPC || pod.NodeName != "" || len(pod.HostAliases) > 0,
		"a root that can be written": !*c.SecurityContext.ReadOnlyRootFilesystem,
		"an image without digest":    !byDigest.MatchString(c.Image),
		"another program":            !slices.Equal(c.Command, []string{"python", "-m", "signalbox.launcher", "/signalbox/job/job.json"}) || len(c.Args) > 0,
		"a pod that is repeated":     *job.Spec.BackoffLimit != 0 || pod.RestartPolicy != corev1.RestartPolicyNever,
		"no memory limit":            c.Resources.Limits.Memory().IsZero(),
		"annotations of others":      len(slices.DeleteFunc(slices.Collect(maps.Keys(job.Spec.Template.Annotations)), func(k string) bool { return k == annotOwner })) > 0,
	}
	for _, v := range pod.Volumes {
		faults["volume "+v.Name] = v.Secret == nil && v.EmptyDir == nil || v.Secret != nil && v.Secret.SecretName != job.Name
	}
	for _, e := range c.Env {
		faults["variable "+e.Name] = slices.Contains([]string{"LD_PRELOAD", "PATH", "PYTHONPATH", "NVIDIA_VISIBLE_DEVICES"}, e.Name) ||
			e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil
	}
	for what, wrong := range faults {
		if wrong {
			t.Errorf("seed %d: %s", seed, what)
		}
	}
}

// wantWorkers checks that a job has as many pods as workers, all at once, and that no pod can choose its rank.
func wantWorkers(t *testing.T, seed uint64, job *batchv1.Job, n int) {
	t.Helper()
	spec := job.Spec
	indexed := spec.CompletionMode != nil && *spec.CompletionMode == batchv1.IndexedCompletion
	if int(*spec.Parallelism) != n || int(*spec.Completions) != n || indexed != (n > 1) || *spec.PodReplacementPolicy != batchv1.Failed {
		t.Errorf("seed %d: %d of %d pods at once, indexed %v, want %d", seed, *spec.Parallelism, *spec.Completions, indexed, n)
	}
	paths := map[string][]string{}
	for _, e := range spec.Template.Spec.Containers[0].Env {
		if e.Name == train.EnvRank || e.Name == train.EnvAddress {
			if e.ValueFrom == nil || e.ValueFrom.FieldRef == nil {
				t.Fatalf("seed %d: %s is %q", seed, e.Name, e.Value)
			}
			paths[e.Name] = append(paths[e.Name], e.ValueFrom.FieldRef.FieldPath)
		}
	}
	want := map[string][]string{}
	if n > 1 {
		want = map[string][]string{train.EnvRank: {"metadata.annotations['batch.kubernetes.io/job-completion-index']"}, train.EnvAddress: {"status.podIP"}}
	}
	if !maps.EqualFunc(paths, want, slices.Equal) {
		t.Errorf("seed %d: fields %v, want %v", seed, paths, want)
	}
}

// What is secret reaches the pod as a file, and nothing else of the cluster's objects has it.
func TestTokenIsOnlyInTheSecret(t *testing.T) {
	b := newBackend(t)
	j := train.Job{Run: registry.RunID(uuid.New()), Attempt: 1, ComputeClass: "CPU", Spec: []byte(`{"token":"canary-4711"}`),
		Files: map[string]string{"workflow/flow.py": "x = 1\n"}}
	job, err := b.job(j, b.cfg.Classes["CPU"])
	if err != nil {
		t.Fatal(err)
	}
	shown, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(shown), "canary-4711") {
		t.Errorf("the Job shows the token: %s", shown)
	}
	secret := b.secret(j)
	if string(secret.Data[jobFile]) != string(j.Spec) || string(secret.Data["file-0000"]) != "x = 1\n" || !*secret.Immutable {
		t.Errorf("secret %+v", secret)
	}
	want := []corev1.KeyToPath{{Key: jobFile, Path: jobFile}, {Key: "file-0000", Path: "workflow/flow.py"}}
	if got := job.Spec.Template.Spec.Volumes[0].Secret.Items; !slices.Equal(got, want) {
		t.Errorf("mounted %v, want %v", got, want)
	}
}

func newBackend(t *testing.T) *Backend {
	t.Helper()
	b, err := New(Config{Client: fake.NewClientset(), Namespace: "training", Image: digestImage, Classes: map[string]Class{"CPU": {}}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestConfigListsEveryFault(t *testing.T) {
	_, err := New(Config{Namespace: "No", PullPolicy: "Sometimes", Grace: -1, Classes: map[string]Class{"A": {
		Image: "alpine:latest", CPU: "many", Memory: "-1Gi", Devices: map[string]string{"gpu": "half"}, Queue: "Q!", Env: map[string]string{"LD_PRELOAD": "x"},
	}}})
	for _, want := range []string{
		"client", "namespace", "pull policy", "grace", `image "alpine:latest"`, `cpu "many"`, `memory "-1Gi"`, `device "gpu"`, `"half"`, `queue "Q!"`, `"LD_PRELOAD"`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %s: %v", want, err)
		}
	}
	if _, err := New(Config{Client: fake.NewClientset(), Namespace: "n"}); err == nil || !strings.Contains(err.Error(), "classes") {
		t.Errorf("no classes: %v", err)
	}
}
