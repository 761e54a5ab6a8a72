package kubebackend_test

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	authnv1 "k8s.io/api/authentication/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/consumers/train/kubebackend"
	"github.com/signalbox-ml/signalbox/consumers/train/kubebackend/kubetest"
)

// manifests is what operators apply.
const manifests = "../../../deploy/training"

// installed applies the manifests and returns a stage in their namespace, as the account of the role train.
func installed(t *testing.T) *stage {
	t.Helper()
	return installedOn(t, theCluster)
}

// installedOn does so on any cluster.
func installedOn(t *testing.T, cluster *kubetest.Cluster) *stage {
	t.Helper()
	kubectl := func(args ...string) {
		cmd := exec.Command(cluster.Kubectl, append([]string{"--kubeconfig", cluster.Kubeconfig}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	admin, err := kubebackend.Connect(cluster.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, cluster: cluster, namespace: "signalbox-training", orders: map[string]chan string{}}
	s.serve(admin) // before the removal: pods must be able to end
	kubectl("apply", "-f", manifests)
	t.Cleanup(func() { kubectl("delete", "--timeout=90s", "-f", manifests) })
	token, err := admin.CoreV1().ServiceAccounts("signalbox-training").CreateToken(t.Context(), "signalbox-train", &authnv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := clientcmd.BuildConfigFromFlags("", cluster.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	cfg.BearerToken, cfg.BearerTokenFile = token.Status.Token, ""
	if s.client, err = kubernetes.NewForConfig(cfg); err != nil {
		t.Fatal(err)
	}
	return s
}

// The account of the manifests is enough for everything that a backend does.
func TestAccountIsEnough(t *testing.T) {
	s := installed(t)
	b, _ := s.backend(quick)
	j := s.begun(b)
	if jobs, err := b.Jobs(t.Context()); err != nil || len(jobs) != 1 {
		t.Errorf("jobs %v, %v", jobs, err)
	}
	s.wantSuccess(b, j)
	r, err := b.Log(t.Context(), j.Run, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	s.await(b, j, func(_ train.Status, _ error) bool { return b.Cancel(t.Context(), j.Run, 1) == nil })
}

// Whoever steals the account can neither read secrets nor make anything but jobs like ours.
func TestAccountIsNoMore(t *testing.T) {
	s := installed(t)
	b, _ := s.backend(quick)
	j := s.begun(b)
	ours, err := s.client.BatchV1().Jobs(s.namespace).Get(t.Context(), s.pod(j).Labels["batch.kubernetes.io/job-name"], metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*corev1.PodSpec){
		"privileged":   func(p *corev1.PodSpec) { p.Containers[0].SecurityContext.Privileged = new(true) },
		"host network": func(p *corev1.PodSpec) { p.HostNetwork = true },
		"host path": func(p *corev1.PodSpec) {
			p.Volumes[1].VolumeSource = corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}
		},
		"another secret":      func(p *corev1.PodSpec) { p.Volumes[0].Secret.SecretName = "database" },
		"account token":       func(p *corev1.PodSpec) { p.AutomountServiceAccountToken = new(true) },
		"image by tag":        func(p *corev1.PodSpec) { p.Containers[0].Image = "alpine:latest" },
		"root can be written": func(p *corev1.PodSpec) { p.Containers[0].SecurityContext.ReadOnlyRootFilesystem = new(false) },
		"preloaded library": func(p *corev1.PodSpec) {
			p.Containers[0].Env = append(p.Containers[0].Env, corev1.EnvVar{Name: "LD_PRELOAD", Value: "/x.so"})
		},
		"second container": func(p *corev1.PodSpec) { c := p.Containers[0]; c.Name = "more"; p.Containers = append(p.Containers, c) },
		"restarts":         func(p *corev1.PodSpec) { p.RestartPolicy = corev1.RestartPolicyOnFailure },
	} {
		theirs := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{GenerateName: "x-", Labels: ours.Labels}}
		theirs.Spec.Template.Spec = *ours.Spec.Template.Spec.DeepCopy()
		change(&theirs.Spec.Template.Spec)
		s.awaitRefusal(name, func() error {
			_, err := s.client.BatchV1().Jobs(s.namespace).Create(t.Context(), theirs, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			return err
		})
	}
	for name, call := range map[string]func(context.Context) error{
		"get secret": func(ctx context.Context) error {
			_, err := s.client.CoreV1().Secrets(s.namespace).Get(ctx, ours.Name, metav1.GetOptions{})
			return err
		},
		"list secrets": func(ctx context.Context) error {
			_, err := s.client.CoreV1().Secrets(s.namespace).List(ctx, metav1.ListOptions{})
			return err
		},
		"make a pod": func(ctx context.Context) error {
			_, err := s.client.CoreV1().Pods(s.namespace).Create(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "x"}, Spec: ours.Spec.Template.Spec}, metav1.CreateOptions{})
			return err
		},
		"other namespace": func(ctx context.Context) error {
			_, err := s.client.BatchV1().Jobs("default").List(ctx, metav1.ListOptions{})
			return err
		},
	} {
		if err := call(t.Context()); !apierrors.IsForbidden(err) {
			t.Errorf("%s: %v, want it forbidden", name, err)
		}
	}
}

// awaitRefusal gives a new policy the moment that the API server takes to see it.
func (s *stage) awaitRefusal(what string, call func() error) {
	s.t.Helper()
	timeout, tick := time.After(30*time.Second), time.NewTicker(100*time.Millisecond)
	defer tick.Stop()
	for {
		err := call()
		if apierrors.IsForbidden(err) || apierrors.IsInvalid(err) {
			return
		}
		select {
		case <-tick.C:
		case <-timeout:
			s.t.Errorf("%s: %v, want it refused", what, err)
			return
		}
	}
}
