package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// journal records what happened in order.
type journal struct {
	mu   sync.Mutex
	list []string
}

func (j *journal) add(s string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.list = append(j.list, s)
}

func (j *journal) worker(name string, drain time.Duration, end error) func(context.Context) error {
	return func(ctx context.Context) error {
		<-ctx.Done()
		time.Sleep(drain)
		j.add(name)
		return end
	}
}

func TestGroupStopsInReverse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		var g Group
		g.Add("broker", j.worker("broker", time.Second, nil))
		g.Add("archive", j.worker("archive", 3*time.Second, context.Canceled))
		g.Add("ingest", j.worker("ingest", 2*time.Second, nil))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- g.Run(ctx) }()
		synctest.Wait()
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if want := []string{"ingest", "archive", "broker"}; !slices.Equal(j.list, want) {
			t.Fatalf("stopped %v, want %v", j.list, want)
		}
	})
}

func TestGroupReportsWhoFailedAndWhoHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		g := Group{Drain: 5 * time.Second}
		boom := errors.New("boom")
		release := make(chan struct{})
		g.Add("stuck", func(context.Context) error { <-release; return nil })
		g.Add("fine", j.worker("fine", 0, nil))
		g.Add("bad", func(context.Context) error { return boom })
		err := g.Run(t.Context())
		close(release)
		if !errors.Is(err, boom) || !slices.Equal(j.list, []string{"fine"}) {
			t.Fatalf("%v, %v", err, j.list)
		}
		if want := "stuck: still busy after 5s"; !strings.Contains(err.Error(), want) {
			t.Fatalf("%v does not say %q", err, want)
		}
	})
}

func TestWorkerThatEndsEarlyStopsTheGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group
		g.Add("short", func(context.Context) error { return nil })
		if err := g.Run(t.Context()); !errors.Is(err, errStopped) {
			t.Fatal(err)
		}
	})
}

func TestServeLetsRequestsFinish(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	entered, release := make(chan struct{}), make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-release
		_, _ = fmt.Fprint(w, "done")
	})
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- Serve(l, h, 10*time.Second)(ctx) }()
	answered := make(chan string, 1)
	go func() {
		resp, err := http.Get("http://" + l.Addr().String())
		if err != nil {
			answered <- err.Error()
			return
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body) // what came is compared below
		answered <- string(b)
	}()
	<-entered
	cancel()
	close(release)
	if got := <-answered; got != "done" {
		t.Fatalf("the request under way got %q", got)
	}
	if err := <-served; err != nil {
		t.Fatal(err)
	}
}
