package streams

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

// shelf is a catalog that can fail and counts how often it is asked.
type shelf struct {
	asked atomic.Int64
	down  atomic.Bool
	mu    sync.Mutex
	list  []registry.Spec
}

func (s *shelf) ListSpecs(context.Context, string) ([]registry.Spec, error) {
	s.asked.Add(1)
	if s.down.Load() {
		return nil, errors.New("catalog is away")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list, nil
}

// put declares a stream as the only one.
func (s *shelf) put(name, body string) registry.Spec {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := registry.Spec{Kind: "Stream", Name: name, Body: json.RawMessage(body), Digest: cas.Sum([]byte(body)), Updated: time.Now()}
	s.list = []registry.Spec{one}
	return one
}

func directory(t *testing.T, sh *shelf) *Directory {
	t.Helper()
	d, err := New(Config{Specs: sh})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestConfig(t *testing.T) {
	_, err := New(Config{Gap: -1})
	if err == nil || !strings.Contains(err.Error(), "Specs is nil") || !strings.Contains(err.Error(), "negative") {
		t.Errorf("%v", err)
	}
}

// TestContracts: a contract is the same as long as its spec is, and a spec that cannot be read leaves the last one that could.
func TestContracts(t *testing.T) {
	sh := &shelf{}
	d := directory(t, sh)
	look := func() *Table {
		t.Helper()
		table, err := d.After(t.Context(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return table
	}
	if table := look(); table.Contract("a") != nil || table.HasTopic("events.one") {
		t.Error("nothing is declared")
	}
	s := sh.put("one", `{"types":{"a":{"schema":{"type":"object"}},"b":{"schema":{"type":"nonsense"}}}}`)
	first := look()
	c := first.Contract("a")
	if c == nil || c.Topic != "events.one" || c.Schema == nil || c.Spec != s.Digest || !first.HasTopic("events.one") {
		t.Fatalf("%+v", c)
	}
	if b := first.Contract("b"); b == nil || b.Schema != nil {
		t.Errorf("a schema that cannot be used: %+v", b)
	}
	if got := first.Spec("events.one"); got.Digest != s.Digest || !got.Updated.Equal(s.Updated) || first.Spec("events.two").Name != "" {
		t.Errorf("%+v", got)
	}
	if again := look(); again.Contract("a") != c || !again.Read.After(first.Read) {
		t.Error("the contract was made again")
	}
	later := sh.put("one", string(s.Body))
	if table := look(); table.Contract("a") != c || !table.Spec("events.one").Updated.Equal(later.Updated) {
		t.Errorf("applied again after another one: %+v", table.Spec("events.one"))
	}
	future := sh.put("one", `{"types":{},"from":"the future"}`)
	if table := look(); table.Contract("a") != c {
		t.Error("a spec that cannot be read took the types away")
	}
	if alone := Of(s); alone.Contract("a") == nil || !alone.HasTopic("events.one") || Of(future).HasTopic("events.one") {
		t.Error("specs alone")
	}
	sh.put("one", `{"types":{"a":{"schema":{"type":"string"}}}}`)
	if table := look(); table.Contract("a") == c || table.Contract("b") != nil {
		t.Error("a new spec changes nothing")
	}
}

// TestLooksAreShared: however many ask for what does not exist, the catalog is asked at the same pace.
func TestLooksAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sh := &shelf{}
		d := directory(t, sh)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				for begin := time.Now(); time.Since(begin) < 10*time.Second; {
					since := time.Now()
					if got, err := d.After(t.Context(), since); err != nil || got.Read.Before(since) {
						t.Errorf("read %v, want not before %v: %v", got.Read, since, err)
					}
					time.Sleep(time.Millisecond)
				}
			})
		}
		wg.Wait()
		if n := sh.asked.Load(); n < 90 || n > 110 {
			t.Errorf("asked %d times in 10 s", n)
		}
	})
}

func TestPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sh := &shelf{}
		d := directory(t, sh)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			d.Poll(ctx, time.Second)
		}()
		time.Sleep(10*time.Second + 500*time.Millisecond)
		if n := sh.asked.Load(); n < 10 || n > 12 {
			t.Errorf("asked %d times in 10 s", n)
		}
		sh.down.Store(true)
		time.Sleep(5 * time.Second)
		sh.down.Store(false)
		time.Sleep(2 * time.Second)
		if _, err := d.After(ctx, time.Now().Add(-time.Second-time.Millisecond)); err != nil {
			t.Errorf("it does not recover: %v", err)
		}
		cancel()
		<-done
	})
}
