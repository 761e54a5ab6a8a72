package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/signalbox-ml/signalbox/consumers/train/kubebackend"
)

// cluster is a Kubernetes without nodes: Jobs get Pods, which stay pending. It is a process of its own, and ends with us.
type cluster struct {
	Kubeconfig string `json:"kubeconfig"`
	Server     string `json:"server"`
	client     kubernetes.Interface
	cmd        *exec.Cmd
	stdin      io.Closer
}

// Bounds of a cluster's start, which may have to build Kubernetes, and of its end.
const (
	clusterReady = 50 * time.Minute
	clusterEnds  = 2 * time.Minute
)

// cluster starts the Kubernetes of this run, once.
func (b *bench) cluster(ctx context.Context) (*cluster, error) {
	if b.kube != nil {
		return b.kube, nil
	}
	c := &cluster{}
	c.cmd = exec.Command(filepath.Join(b.bin, "kube"), "up", "--mode", "api", "--dir", filepath.Join(b.dir, "kube"))
	c.cmd.Stderr = os.Stderr
	var err error
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start cluster: %w", err)
	}
	b.kube = c // closed with the run, whatever comes
	ready := make(chan error, 1)
	go func() { // ends when the cluster does
		lines := bufio.NewScanner(out)
		if !lines.Scan() {
			ready <- errors.Join(io.ErrUnexpectedEOF, lines.Err())
			return
		}
		ready <- json.Unmarshal(lines.Bytes(), c)
		for lines.Scan() { // what it starts anew is of no interest
		}
	}()
	select {
	case err = <-ready:
	case <-time.After(clusterReady):
		err = fmt.Errorf("not ready within %s", clusterReady)
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("start cluster: %w", err)
	}
	c.client, err = kubebackend.Connect(c.Kubeconfig)
	return c, err
}

// namespace makes a namespace, or finds it.
func (c *cluster) namespace(ctx context.Context, name string) error {
	_, err := c.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	return err
}

// countJobs counts the Jobs that a selector of labels finds.
func (c *cluster) countJobs(ctx context.Context, namespace, selector string) (int, error) {
	list, err := c.client.BatchV1().Jobs(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return 0, err
	}
	return len(list.Items), nil
}

// close ends the cluster and waits for that.
func (c *cluster) close() error {
	err := c.stdin.Close()
	done := make(chan error, 1)
	go func() { done <- c.cmd.Wait() }()
	select {
	case end := <-done:
		return errors.Join(err, end)
	case <-time.After(clusterEnds):
		return errors.Join(err, errors.New("the cluster does not end"), c.cmd.Process.Kill(), <-done)
	}
}
