//go:build linux

package kuberay_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	authnv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/consumers/train/kubebackend"
	"github.com/signalbox-ml/signalbox/consumers/train/raybackend/kuberay"
	"github.com/signalbox-ml/signalbox/registry"
)

const image = "registry.test/signalbox/ray@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// stage is a namespace that admits only restricted pods, and an account in it that may do what the package's
// documentation says and no more.
type stage struct {
	t          *testing.T
	admin      kubernetes.Interface
	namespace  string
	kubeconfig string
	change     func(*kuberay.Config)
}

func newStage(t *testing.T) *stage {
	t.Helper()
	admin, err := kubebackend.Connect(theCluster.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	ns, err := admin.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "test-", Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, admin: admin, namespace: ns.Name, kubeconfig: filepath.Join(t.TempDir(), "kubeconfig"), change: func(*kuberay.Config) {}}
	t.Cleanup(func() {
		if err := admin.CoreV1().Namespaces().Delete(context.WithoutCancel(t.Context()), s.namespace, metav1.DeleteOptions{}); err != nil {
			t.Errorf("remove namespace: %v", err)
		}
	})
	s.account()
	return s
}

// rights are those of the shipped account.
func rights() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		{APIGroups: []string{"ray.io"}, Resources: []string{"rayjobs"}, Verbs: []string{"create", "get", "list", "delete"}},
		{APIGroups: []string{"ray.io"}, Resources: []string{"rayclusters"}, Verbs: []string{"get"}},
		{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"create", "delete"}},
	}
}

// account writes the kubeconfig of an account with few rights.
func (s *stage) account() {
	s.t.Helper()
	ctx, one := s.t.Context(), metav1.ObjectMeta{Name: "signalbox-train", Namespace: s.namespace}
	_, err := s.admin.CoreV1().ServiceAccounts(s.namespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: one}, metav1.CreateOptions{})
	s.must(err)
	_, err = s.admin.RbacV1().Roles(s.namespace).Create(ctx, &rbacv1.Role{ObjectMeta: one, Rules: rights()}, metav1.CreateOptions{})
	s.must(err)
	_, err = s.admin.RbacV1().RoleBindings(s.namespace).Create(ctx, &rbacv1.RoleBinding{ObjectMeta: one,
		RoleRef:  rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "Role", Name: one.Name},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: one.Name, Namespace: s.namespace}},
	}, metav1.CreateOptions{})
	s.must(err)
	token, err := s.admin.CoreV1().ServiceAccounts(s.namespace).CreateToken(ctx, one.Name, &authnv1.TokenRequest{}, metav1.CreateOptions{})
	s.must(err)
	file, err := clientcmd.LoadFromFile(theCluster.Kubeconfig)
	s.must(err)
	for name := range file.AuthInfos {
		file.AuthInfos[name] = &api.AuthInfo{Token: token.Status.Token}
	}
	s.must(clientcmd.WriteToFile(*file, s.kubeconfig))
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// backend is one whose pods are those of kubebackend.
func (s *stage) backend() *kuberay.Backend {
	s.t.Helper()
	few, err := kubebackend.Connect(s.kubeconfig)
	s.must(err)
	class := kubebackend.Class{CPU: "500m", Memory: "1Gi", Scratch: "1Gi", Env: map[string]string{"MODEL_HUB": "hub.test"}}
	pods, err := kubebackend.New(kubebackend.Config{
		Client: few, Namespace: s.namespace, Image: image, Classes: map[string]kubebackend.Class{"CPU": class, "WIDE": class},
	})
	s.must(err)
	client, err := kubebackend.ConnectDynamic(s.kubeconfig)
	s.must(err)
	cfg := kuberay.Config{
		Client: client, Namespace: s.namespace, RayVersion: "2.60.0", Pod: pods.Pod, Secret: pods.Secret,
		Document: kubebackend.Document, Scratch: kubebackend.Scratch, Workers: map[string]int{"WIDE": 2},
	}
	s.change(&cfg)
	b, err := kuberay.New(cfg)
	s.must(err)
	return b
}

func (s *stage) key(run registry.RunID, attempt int) string {
	return s.namespace + "/" + train.JobName(run, attempt)
}

func newJob(class string) train.Job {
	return train.Job{
		Run: registry.RunID(uuid.New()), Attempt: 1, ComputeClass: class, Deadline: time.Hour, Model: "flight-delay", Owner: "ann",
		Spec: []byte(`{"token":"canary-4711"}`), Files: map[string]string{"workflow/flow.py": "pass\n"},
	}
}

// await polls until ok says that it is enough.
func (s *stage) await(what string, ok func() bool) {
	s.t.Helper()
	timeout, tick := time.After(time.Minute), time.NewTicker(50*time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-timeout:
			s.t.Fatalf("still waiting: %s", what)
		}
	}
}

// awaitStatus waits for a status whose phase and words are those.
func (s *stage) awaitStatus(b *kuberay.Backend, j train.Job, phase train.Phase, words string) (st train.Status) {
	s.t.Helper()
	s.await(string(phase)+", "+words, func() bool {
		var err error
		st, err = b.Status(s.t.Context(), j.Run, j.Attempt)
		s.must(err)
		if st.Phase == train.PhaseFailed && phase != train.PhaseFailed {
			s.t.Fatalf("status %+v", st)
		}
		return st.Phase == phase && strings.Contains(st.Reason, words)
	})
	return st
}

// awaitPods waits until the operator has made so many pods.
func (s *stage) awaitPods(n int) (out []corev1.Pod) {
	s.t.Helper()
	s.await("pods", func() bool {
		list, err := s.admin.CoreV1().Pods(s.namespace).List(s.t.Context(), metav1.ListOptions{})
		s.must(err)
		out = list.Items
		return len(out) == n
	})
	return out
}

// cancel repeats while the job takes its time to end.
func (s *stage) cancel(b *kuberay.Backend, j train.Job) {
	s.t.Helper()
	s.await("the end of a cancelled job", func() bool {
		err := b.Cancel(s.t.Context(), j.Run, j.Attempt)
		if err != nil && !errors.Is(err, train.ErrEnding) {
			s.t.Fatalf("cancel: %v", err)
		}
		return err == nil
	})
}

// play stands in for scheduler and kubelet: whatever pod comes runs and is ready.
func (s *stage) play() {
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			if pods, err := s.admin.CoreV1().Pods(s.namespace).List(ctx, metav1.ListOptions{}); err == nil {
				for _, p := range pods.Items {
					if p.Status.Phase == corev1.PodPending {
						s.set(ctx, p, corev1.PodRunning, corev1.ConditionTrue)
					}
				}
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
	s.t.Cleanup(func() { cancel(); wg.Wait() })
}

// set writes a pod's status; whoever loses against the operator's own writing tries again later.
func (s *stage) set(ctx context.Context, p corev1.Pod, phase corev1.PodPhase, ready corev1.ConditionStatus) {
	p.Status.Phase, p.Status.PodIP = phase, "10.0.0.9"
	p.Status.PodIPs = []corev1.PodIP{{IP: p.Status.PodIP}}
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}
	_, _ = s.admin.CoreV1().Pods(s.namespace).UpdateStatus(ctx, &p, metav1.UpdateOptions{})
}
