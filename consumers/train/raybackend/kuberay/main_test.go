//go:build linux

package kuberay_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/train/kubebackend/kubetest"
)

// What all tests of the package share: a cluster, the KubeRay operator on it, and the way by which the operator reaches
// the heads of Ray clusters. Each test has a namespace of its own.
var (
	theCluster *kubetest.Cluster
	theHeads   *heads
)

// buildWithin bounds the start of the operator, its build from source included.
const buildWithin = 20 * time.Minute

func TestMain(m *testing.M) {
	status, err := withOperator(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

// withOperator takes a cluster without nodes: the operator and the API server do not know the difference, and a node would
// want an image with Ray inside.
func withOperator(m *testing.M) (status int, err error) {
	dir, err := os.MkdirTemp("", "kuberay")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if theCluster, err = kubetest.Start(dir, kubetest.ModeAPI); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, theCluster.Close()) }()
	if theHeads, err = listen(); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, theHeads.close()) }()
	ctx, cancel := context.WithTimeout(context.Background(), buildWithin)
	defer cancel()
	operator, err := theCluster.KubeRay(ctx, theHeads.address)
	if err != nil {
		return 1, err
	}
	defer func() {
		err = errors.Join(err, operator.Close())
		if status != 0 {
			fmt.Fprintln(os.Stderr, operator.Said())
		}
	}()
	return m.Run(), nil
}
