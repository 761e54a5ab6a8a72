package raybackend_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/consumers/train/backendtest"
	"github.com/signalbox-ml/signalbox/consumers/train/raybackend"
	"github.com/signalbox-ml/signalbox/registry"
)

// useCluster returns the cluster, and removes what the test leaves there.
func useCluster(t *testing.T) *cluster {
	t.Helper()
	c, err := theCluster()
	if err != nil {
		t.Fatal(err)
	}
	url, _ := c.dashboard(t)
	b := newBackend(t, c, url)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		jobs, err := b.Jobs(ctx)
		if err != nil {
			t.Errorf("jobs that are left: %v", err)
		}
		for _, at := range jobs {
			awaitCancel(t, ctx, b, at)
		}
	})
	return c
}

func newBackend(t *testing.T, c *cluster, url string, change ...func(*raybackend.Config)) *raybackend.Backend {
	t.Helper()
	instance, _, _ := strings.Cut(t.Name(), "/")
	cfg := raybackend.Config{
		Instance: instance, URL: url, Token: token, Python: c.python, Source: os.DirFS("testdata/standin"), Grace: time.Second,
		Classes: map[string]raybackend.Class{"CPU": {CPUs: 0.5}},
	}
	for _, f := range change {
		f(&cfg)
	}
	b, err := raybackend.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func awaitCancel(t *testing.T, ctx context.Context, b *raybackend.Backend, at train.Attempt) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := b.Cancel(ctx, at.Run, at.N)
		if err == nil {
			return
		}
		if !errors.Is(err, train.ErrEnding) {
			t.Errorf("cancel: %v", err)
			return
		}
		<-tick.C
	}
}

// tell makes a job do something, now or once it runs.
func (c *cluster) tell(run registry.RunID, attempt int, order string) {
	c.order(fmt.Sprintf("run-%s-%d", run, attempt)) <- order
}

// TestContract runs the suite of every backend on a real Ray.
func TestContract(t *testing.T) {
	t.Parallel()
	c := useCluster(t)
	backendtest.TestBackend(t, func(t *testing.T) backendtest.Subject {
		url, stop := c.dashboard(t)
		return backendtest.Subject{
			Backend: newBackend(t, c, url), Outlive: true, Logs: backendtest.LogsAtEnd, Patience: 90 * time.Second,
			Release: func(_ *testing.T, run registry.RunID, attempt, status int) {
				c.tell(run, attempt, fmt.Sprint("exit ", status))
			},
			Kill: func(_ *testing.T, run registry.RunID, attempt int) { c.tell(run, attempt, "kill") },
			Restart: func(t *testing.T) train.Backend {
				stop()
				url, _ := c.dashboard(t)
				return newBackend(t, c, url)
			},
		}
	})
}
