//go:build linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/signalbox-ml/signalbox/deploy/kube/internal/process"
)

// stop ends everything, the youngest first: the kubelet before the containers that it would start again, containerd
// after them. Their state is thrown away, so all but containerd, which keeps the images, are killed outright.
func (c *cluster) stop() error {
	began := time.Now()
	var runtime *process.Child
	var killed sync.WaitGroup
	for _, child := range slices.Backward(c.children) {
		if child.Name() == "containerd" {
			runtime = child
			continue
		}
		killed.Go(func() { child.Stop(context.Background(), syscall.SIGKILL) })
	}
	killed.Wait()
	var errs []error
	if runtime != nil {
		if err := c.removeContainers(); err != nil {
			errs = append(errs, err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		runtime.Stop(ctx, syscall.SIGTERM)
		cancel()
	}
	if c.machine != nil {
		errs = append(errs, c.machine.restore())
	}
	err := errors.Join(errs...)
	if err != nil {
		return fmt.Errorf("kube down: %w", err)
	}
	fmt.Fprintf(c.cfg.Log, "kube: stopped in %.1f s\n", time.Since(began).Seconds())
	return nil
}

// removeContainers makes containerd forget the pods, so that the images can stay without them.
func (c *cluster) removeContainers() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	roots, _, err := hierarchies()
	if err != nil {
		return err
	}
	for _, root := range roots[:1] { // every process of a pod is in every hierarchy
		killTree(root + "/" + cgroupName)
	}
	for _, kind := range [][]string{{"tasks", "rm", "--force"}, {"containers", "rm"}} {
		list, err := c.ctr(ctx, kind[0], "ls", "--quiet")
		if err != nil {
			return err
		}
		if ids := strings.Fields(list); len(ids) > 0 {
			// One that ended by itself meanwhile is an error of the command: what is listed at the end decides.
			_, _ = c.ctr(ctx, append(kind, ids...)...)
		}
	}
	left, err := c.ctr(ctx, "containers", "ls", "--quiet")
	if err == nil && left != "" {
		err = fmt.Errorf("containers are left: %s", left)
	}
	return err
}
