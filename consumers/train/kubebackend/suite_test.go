package kubebackend_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/consumers/train/backendtest"
	"github.com/signalbox-ml/signalbox/consumers/train/kubebackend"
	"github.com/signalbox-ml/signalbox/consumers/train/kubebackend/kubetest"
	"github.com/signalbox-ml/signalbox/registry"
)

// TestContract runs the suite of every backend on a real cluster: with containers where the machine can have them, or
// else with pods whose life the test plays.
func TestContract(t *testing.T) {
	t.Logf("cluster in mode %s", theCluster.Mode)
	logs := backendtest.LogsAtEnd
	if theCluster.Mode != kubetest.ModeNode {
		logs = backendtest.LogsNever
	}
	backendtest.TestBackend(t, func(t *testing.T) backendtest.Subject {
		t.Parallel() // most of it waits for the cluster
		s := newStage(t)
		b, stop := s.backend(quick)
		return backendtest.Subject{
			Backend: b, Outlive: true, Logs: logs, Patience: 2 * time.Minute,
			Release: func(_ *testing.T, run registry.RunID, attempt, status int) {
				s.tell(run, attempt, fmt.Sprint("exit ", status))
			},
			Kill: func(_ *testing.T, run registry.RunID, attempt int) { s.tell(run, attempt, "kill") },
			Restart: func(*testing.T) train.Backend {
				stop()
				b, _ := s.backend(quick)
				return b
			},
		}
	})
}

// quick makes cancelled pods end soon.
func quick(c *kubebackend.Config) { c.Grace = time.Second }

// tell makes a job do something, now or once it runs.
func (s *stage) tell(run registry.RunID, attempt int, order string) {
	s.order(fmt.Sprintf("run-%s-%d", run, attempt)) <- order
}
