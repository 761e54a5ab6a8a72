//go:build linux

package kuberay_test

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/consumers/train/backendtest"
	"github.com/signalbox-ml/signalbox/consumers/train/kubebackend"
	"github.com/signalbox-ml/signalbox/consumers/train/raybackend/kuberay"
	"github.com/signalbox-ml/signalbox/registry"
)

// TestContract runs the suite of every backend against the operator.
func TestContract(t *testing.T) {
	t.Parallel()
	backendtest.TestBackend(t, func(t *testing.T) backendtest.Subject {
		s := newStage(t)
		s.play()
		return backendtest.Subject{
			Backend: s.backend(), Outlive: true, Logs: backendtest.LogsNever, Patience: time.Minute,
			Release: func(_ *testing.T, run registry.RunID, attempt, status int) { theHeads.end(s.key(run, attempt), status) },
			Kill:    func(_ *testing.T, run registry.RunID, attempt int) { theHeads.end(s.key(run, attempt), -9) },
			Restart: func(*testing.T) train.Backend { return s.backend() },
		}
	})
}

// TestPodsStayConfined judges the pods that the operator makes of ours, after everything that it adds.
func TestPodsStayConfined(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	b, j := s.backend(), newJob("WIDE")
	for range 2 {
		s.must(b.Submit(t.Context(), j))
	}
	pods := s.awaitPods(3)
	judge, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	s.must(err)
	heads := 0
	for _, p := range pods {
		kind := p.Labels["ray.io/node-type"]
		for _, r := range judge.EvaluatePod(api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}, &p.ObjectMeta, &p.Spec) {
			if !r.Allowed {
				t.Errorf("%s: %s: %s", kind, r.ForbiddenReason, r.ForbiddenDetail)
			}
		}
		wantOurs(t, p, train.JobName(j.Run, 1), kind == "head")
		if kind == "head" {
			heads++
		}
	}
	if heads != 1 {
		t.Errorf("%d heads, want 1", heads)
	}
	if jobs, err := b.Jobs(t.Context()); err != nil || len(jobs) != 1 || jobs[0] != (train.Attempt{Run: j.Run, N: 1}) {
		t.Errorf("jobs %v, %v", jobs, err)
	}
}

var byDigest = regexp.MustCompile(`@sha256:[0-9a-f]{64}$`)

// wantOurs checks what the standard leaves open and we promise.
func wantOurs(t *testing.T, p corev1.Pod, secret string, head bool) {
	t.Helper()
	kind, cluster := p.Labels["ray.io/node-type"], p.Labels["ray.io/cluster"]
	containers := slices.Concat(p.Spec.InitContainers, p.Spec.Containers)
	faults := map[string]bool{
		"a service account's token":   p.Spec.AutomountServiceAccountToken == nil || *p.Spec.AutomountServiceAccountToken,
		"containers beside Ray's":     len(p.Spec.Containers) != 1 || len(p.Spec.EphemeralContainers) > 0,
		"init containers in the head": head && len(p.Spec.InitContainers) > 0,
		"the host":                    p.Spec.HostNetwork || p.Spec.HostPID || p.Spec.HostIPC || p.Spec.NodeName != "",
		"a pod that is repeated":      p.Spec.RestartPolicy != corev1.RestartPolicyNever,
		"another user":                p.Spec.SecurityContext == nil || p.Spec.SecurityContext.RunAsUser == nil || *p.Spec.SecurityContext.RunAsUser != 65532,
		"no labels of ours":           p.Labels["signalbox.dev/run"] == "" || p.Labels["signalbox.dev/attempt"] != "1",
		"links to services":           p.Spec.EnableServiceLinks == nil || *p.Spec.EnableServiceLinks,
	}
	ours := 0
	for _, v := range p.Spec.Volumes {
		faults["volume "+v.Name] = v.Secret == nil && v.EmptyDir == nil || v.Secret != nil && v.Secret.SecretName != secret
		faults["unbounded volume "+v.Name] = v.EmptyDir != nil && (v.EmptyDir.SizeLimit == nil || v.EmptyDir.SizeLimit.IsZero())
		if v.Secret != nil {
			ours++
		}
	}
	faults["the job document where it should not be, or not where it should"] = head != (ours == 1) || ours > 1
	for _, c := range containers {
		faults[c.Name+": a root that can be written"] = c.SecurityContext == nil || c.SecurityContext.ReadOnlyRootFilesystem == nil || !*c.SecurityContext.ReadOnlyRootFilesystem
		faults[c.Name+": an image without digest"] = !byDigest.MatchString(c.Image)
		faults[c.Name+": no memory limit"] = c.Resources.Limits.Memory().IsZero()
		faults[c.Name+": a program in a probe"] = c.ReadinessProbe != nil && c.ReadinessProbe.Exec != nil || c.LivenessProbe != nil && c.LivenessProbe.Exec != nil
		for _, e := range c.Env {
			loads := slices.Contains([]string{"LD_PRELOAD", "PATH", "PYTHONPATH", "SIGNALBOX_EXECUTOR"}, e.Name)
			// The one secret of the environment is Ray's own token, which the operator makes for each cluster.
			foreign := e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil && (e.Name != "RAY_AUTH_TOKEN" || e.ValueFrom.SecretKeyRef.Name != cluster)
			faults[c.Name+": variable "+e.Name] = loads || foreign
		}
		faults[c.Name+": environment from elsewhere"] = len(c.EnvFrom) > 0
	}
	c := p.Spec.Containers[0]
	line := strings.Join(c.Args, " ")
	faults["Ray without its folder: "+line] = !strings.Contains(line, "--temp-dir="+kubebackend.Scratch+"/ray ") || !strings.Contains(line, "ray start ")
	faults["no probes"] = c.ReadinessProbe == nil || c.LivenessProbe == nil
	for what, wrong := range faults {
		if wrong {
			t.Errorf("%s: %s", kind, what)
		}
	}
}

// TestPodsThatAskForMore: the namespace refuses them, whoever makes them, and the run says why it waits.
func TestPodsThatAskForMore(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.change = func(c *kuberay.Config) {
		confined := c.Pod
		c.Pod = func(j train.Job, name string) (corev1.PodTemplateSpec, error) {
			pod, err := confined(j, name)
			pod.Spec.Containers[0].SecurityContext.Privileged = new(true)
			pod.Spec.Containers[0].SecurityContext.AllowPrivilegeEscalation = new(true)
			return pod, err
		}
	}
	b, j := s.backend(), newJob("CPU")
	s.must(b.Submit(t.Context(), j))
	s.awaitStatus(b, j, train.PhasePending, "violates PodSecurity")
	if pods := s.awaitPods(0); len(pods) != 0 {
		t.Errorf("pods %v", pods)
	}
	s.cancel(b, j)
}

// TestWhatARunWaitsFor follows a run from one reason to the next.
func TestWhatARunWaitsFor(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	b, j := s.backend(), newJob("WIDE")
	s.must(b.Submit(t.Context(), j))
	s.awaitStatus(b, j, train.PhasePending, "its head waits for a node")
	for _, p := range s.awaitPods(3) {
		if p.Labels["ray.io/node-type"] == "head" {
			p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "job", Image: image, State: corev1.ContainerState{
				Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such image"}}}}
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: "ContainersNotReady", Message: "containers with unready status: [job]"}}
			_, err := s.admin.CoreV1().Pods(s.namespace).UpdateStatus(t.Context(), &p, metav1.UpdateOptions{})
			s.must(err)
		}
	}
	s.awaitStatus(b, j, train.PhasePending, "no such image")
	for _, p := range s.awaitPods(3) {
		if p.Labels["ray.io/node-type"] == "head" {
			s.set(t.Context(), p, corev1.PodRunning, corev1.ConditionTrue)
		}
	}
	s.awaitStatus(b, j, train.PhasePending, "0 of 2 workers are ready")
	s.play()
	s.awaitStatus(b, j, train.PhaseRunning, "")
	got := theHeads.job(s.key(j.Run, 1))
	if got.Entrypoint != "python -m signalbox.launcher "+kubebackend.Document || got.times != 1 || len(got.RuntimeEnv) > 0 {
		t.Errorf("the operator sent %+v", got)
	}
	cluster, _, _ := strings.Cut(got.Host, "-head-svc.")
	token, err := s.admin.CoreV1().Secrets(s.namespace).Get(t.Context(), cluster, metav1.GetOptions{})
	s.must(err)
	if want := "Bearer " + string(token.Data["auth_token"]); got.Authorization != want || len(want) < 30 {
		t.Errorf("the head of %s got the token %q, want %q", cluster, got.Authorization, want)
	}
}

// TestHeadIsLost: the operator itself would go on asking a head that is no more.
func TestHeadIsLost(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.play()
	b, j := s.backend(), newJob("CPU")
	s.must(b.Submit(t.Context(), j))
	s.awaitStatus(b, j, train.PhaseRunning, "")
	s.set(t.Context(), s.awaitPods(1)[0], corev1.PodFailed, corev1.ConditionFalse)
	if st := s.awaitStatus(b, j, train.PhaseFailed, "head"); st.Cause != train.CauseDisrupted {
		t.Errorf("status %+v", st)
	}
	s.cancel(b, j)
}

// TestDeadline: it holds for a run whose cluster never comes, too.
func TestDeadline(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	b, j := s.backend(), newJob("CPU")
	j.Deadline = 2 * time.Second
	s.must(b.Submit(t.Context(), j))
	if st := s.awaitStatus(b, j, train.PhaseFailed, "deadline"); st.Cause != train.CauseDeadline {
		t.Errorf("status %+v", st)
	}
}

// TestNothingIsLeft: what an attempt had goes with it.
func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.play()
	b, j := s.backend(), newJob("WIDE")
	s.must(b.Submit(t.Context(), j))
	s.awaitStatus(b, j, train.PhaseRunning, "")
	s.cancel(b, j)
	s.awaitPods(0)
	if _, err := b.Status(t.Context(), j.Run, 1); !errors.Is(err, train.ErrNoJob) {
		t.Errorf("status: %v", err)
	}
	s.await("secrets and services gone", func() bool {
		secrets, err := s.admin.CoreV1().Secrets(s.namespace).List(t.Context(), metav1.ListOptions{})
		s.must(err)
		services, err := s.admin.CoreV1().Services(s.namespace).List(t.Context(), metav1.ListOptions{})
		s.must(err)
		return len(secrets.Items)+len(services.Items) == 0
	})
	s.must(b.Cancel(t.Context(), j.Run, 1))
}
