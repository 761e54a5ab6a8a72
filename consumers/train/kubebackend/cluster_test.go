package kubebackend_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/signalbox-ml/signalbox/consumers/train/kubebackend"
	"github.com/signalbox-ml/signalbox/consumers/train/kubebackend/kubetest"
)

// theCluster is the one that all tests of the package share; each has a namespace of its own.
var theCluster *kubetest.Cluster

func TestMain(m *testing.M) {
	status, err := withCluster(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

func withCluster(m *testing.M) (status int, err error) {
	dir, err := os.MkdirTemp("", "kubebackend")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if theCluster, err = kubetest.Start(dir, kubetest.ModeAuto); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, theCluster.Close()) }()
	if jobImage, err = buildJobImage(dir); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// jobImage runs testdata/job where the launcher of real jobs would stand.
var jobImage = "localhost/none@sha256:" + strings.Repeat("0", 64)

func buildJobImage(dir string) (string, error) {
	if theCluster.Mode != kubetest.ModeNode {
		return jobImage, nil // nothing runs, so nothing looks at it
	}
	root := filepath.Join(dir, "root")
	build := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(root, "usr", "bin", "python"), "./testdata/job")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build testdata/job: %w\n%s", err, out)
	}
	return theCluster.Image(root, "localhost/job:1", "--user", "65532:65532", "--env", "PATH=/usr/bin")
}

// stage is a namespace with a server that tells jobs how to end.
type stage struct {
	t         *testing.T
	cluster   *kubetest.Cluster
	client    kubernetes.Interface
	namespace string
	control   string // where pods reach the server

	mu     sync.Mutex
	orders map[string]chan string // by name of the Job, and rank where it has several workers
}

// newStage makes a namespace that admits only restricted pods, and removes it after the test.
func newStage(t *testing.T) *stage {
	t.Helper()
	return stageOn(t, theCluster)
}

// stageOn makes it on any cluster.
func stageOn(t *testing.T, cluster *kubetest.Cluster) *stage {
	t.Helper()
	client, err := kubebackend.Connect(cluster.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, cluster: cluster, client: client, orders: map[string]chan string{}}
	ns, err := client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "test-", Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.namespace = ns.Name
	t.Cleanup(func() {
		background := metav1.DeletePropagationBackground
		err := client.CoreV1().Namespaces().Delete(context.WithoutCancel(t.Context()), s.namespace, metav1.DeleteOptions{PropagationPolicy: &background})
		if err != nil {
			t.Errorf("remove namespace: %v", err)
		}
	})
	s.serve(client)
	return s
}

// serve stands by for the jobs of the namespace.
func (s *stage) serve(admin kubernetes.Interface) {
	s.t.Helper()
	if s.cluster.Mode == kubetest.ModeNode {
		s.listen()
	} else {
		s.play(admin)
	}
}

// listen serves the pods of the test on the node's address.
func (s *stage) listen() {
	l, err := net.Listen("tcp", net.JoinHostPort(s.cluster.NodeIP, "0"))
	if err != nil {
		s.t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /end", func(w http.ResponseWriter, r *http.Request) {
		pod := r.FormValue("pod")
		select {
		case order := <-s.order(worker(pod[:strings.LastIndexByte(pod, '-')], r.FormValue("rank"))):
			fmt.Fprint(w, order)
		case <-r.Context().Done():
		}
	})
	server := &http.Server{Handler: mux}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l) // it ends by Close
	}()
	s.t.Cleanup(func() { _ = server.Close(); <-done })
	s.control = "http://" + l.Addr().String()
}

// worker names a job's worker; "" is the rank of one that is alone.
func worker(job, rank string) string {
	if rank == "" {
		return job
	}
	return job + "/" + rank
}

// order is what a job has been told; each is told one thing.
func (s *stage) order(job string) chan string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.orders[job] == nil {
		s.orders[job] = make(chan string, 10)
	}
	return s.orders[job]
}

// backend returns a Backend on the stage, whose caches are filled until the test ends or stop is called.
func (s *stage) backend(change ...func(*kubebackend.Config)) (b *kubebackend.Backend, stop func()) {
	s.t.Helper()
	cfg := kubebackend.Config{
		Client: s.client, Namespace: s.namespace, Image: jobImage, PullPolicy: "Never",
		Classes: map[string]kubebackend.Class{"CPU": {CPU: "50m", Memory: "64Mi", Scratch: "32Mi", Env: map[string]string{"CONTROL": s.control}}},
	}
	for _, f := range change {
		f(&cfg)
	}
	b, err := kubebackend.New(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Errorf("run: %v", err)
		}
	})
	s.t.Cleanup(stop)
	return b, stop
}
