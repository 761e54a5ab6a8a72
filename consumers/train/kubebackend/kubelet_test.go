package kubebackend_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// play stands in for scheduler and kubelet where there is no node: it moves the pods of the namespace through their
// phases by the orders of the test, through the real API server. The Job controller is real too.
func (s *stage) play(kubelet kubernetes.Interface) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	var wg sync.WaitGroup
	seen := map[string]bool{}
	wg.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			pods, err := kubelet.CoreV1().Pods(s.namespace).List(ctx, metav1.ListOptions{})
			if err == nil {
				for _, p := range pods.Items {
					if !seen[p.Name] {
						seen[p.Name] = true
						wg.Go(func() {
							s.perform(ctx, kubelet, p.Name, worker(p.Labels["batch.kubernetes.io/job-name"], p.Labels["batch.kubernetes.io/job-completion-index"]))
						})
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

// perform is the life of one pod.
func (s *stage) perform(ctx context.Context, kubelet kubernetes.Interface, pod, job string) {
	set(ctx, kubelet, s.namespace, pod, corev1.PodRunning, corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}})
	end := corev1.ContainerStateTerminated{FinishedAt: metav1.Now()}
	gone := make(chan struct{})
	go s.awaitDeletion(ctx, kubelet, pod, gone)
	select {
	case <-ctx.Done():
		return
	case <-gone:
		end.ExitCode, end.Reason = 143, "Error"
	case order := <-s.order(job):
		switch what, arg, _ := strings.Cut(order, " "); what {
		case "exit":
			code, _ := strconv.Atoi(arg)
			end.ExitCode = int32(code)
		case "kill":
			end.ExitCode, end.Reason = 137, "Error"
		case "memory":
			end.ExitCode, end.Reason = 137, "OOMKilled"
		}
	}
	phase := corev1.PodSucceeded
	if end.ExitCode != 0 {
		phase = corev1.PodFailed
	}
	set(ctx, kubelet, s.namespace, pod, phase, corev1.ContainerState{Terminated: &end})
	<-gone
	_ = kubelet.CoreV1().Pods(s.namespace).Delete(ctx, pod, *metav1.NewDeleteOptions(0)) // a kubelet confirms the end
}

// awaitDeletion closes gone when somebody deletes the pod.
func (s *stage) awaitDeletion(ctx context.Context, kubelet kubernetes.Interface, pod string, gone chan<- struct{}) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		p, err := kubelet.CoreV1().Pods(s.namespace).Get(ctx, pod, metav1.GetOptions{})
		if err == nil && p.DeletionTimestamp != nil || ctx.Err() != nil || err != nil && strings.Contains(err.Error(), "not found") {
			close(gone)
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// set writes a status; a conflict with the Job controller is tried again.
func set(ctx context.Context, kubelet kubernetes.Interface, namespace, pod string, phase corev1.PodPhase, state corev1.ContainerState) {
	for ctx.Err() == nil {
		p, err := kubelet.CoreV1().Pods(namespace).Get(ctx, pod, metav1.GetOptions{})
		if err != nil {
			return
		}
		p.Status.Phase = phase
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "job", Image: jobImage, State: state}}
		if _, err := kubelet.CoreV1().Pods(namespace).UpdateStatus(ctx, p, metav1.UpdateOptions{}); err == nil {
			return
		}
	}
}
