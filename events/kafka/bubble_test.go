package kafka_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
	"github.com/signalbox-ml/signalbox/events/kafka/kafkatest"
)

// bubble is a broker and the tools of a test, all on a virtual clock.
type bubble struct {
	t   *testing.T
	v   *kafkatest.Virtual
	cfg kafka.Config
	raw *kgo.Client
	adm *kafka.Admin

	muted *kfake.FaultHandle
}

const topic = "events.things"

// inBubble runs f with a broker that has the one topic.
func inBubble(t *testing.T, partitions int32, f func(t *testing.T, b *bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		v, err := kafkatest.NewVirtual()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(v.Close)
		b := &bubble{t: t, v: v, cfg: v.Config()}
		if b.raw, err = kgo.NewClient(kgo.SeedBrokers(b.cfg.Brokers...), kgo.Dialer(b.cfg.Dial), kgo.MetadataMinAge(100*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if b.adm, err = kafka.NewAdmin(kafka.AdminConfig{Config: b.cfg}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.raw.Close(); b.adm.Close() })
		if err := b.adm.EnsureTopics(t.Context(), append(events.LifecycleTopics(), events.TopicSpec{Name: topic, Partitions: partitions})); err != nil {
			t.Fatal(err)
		}
		f(t, b)
	})
}

func (b *bubble) producer(cfg kafka.ProducerConfig) *kafka.Producer {
	b.t.Helper()
	if cfg.Brokers == nil {
		cfg.Config = b.cfg
	}
	p, err := kafka.NewProducer(cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_ = p.Close(ctx) // some tests leave the broker broken
	})
	return p
}

// put appends events of the given ids to the topic; the id is the subject, too.
func (b *bubble) put(ids ...string) {
	b.t.Helper()
	p := b.producer(kafka.ProducerConfig{})
	for _, id := range ids {
		if out := p.Append(b.t.Context(), topic, []events.Event{thing(b.t, id)})[0]; out.Err != nil {
			b.t.Fatal(out.Err)
		}
	}
}

func thing(t *testing.T, id string) events.Event {
	t.Helper()
	ev, err := events.New("org.example.thing", "urn:example:bubble", id, id, time.Now(), map[string]string{"id": id})
	if err != nil {
		t.Fatal(err)
	}
	return ev
}

// start runs a worker; stop ends it and returns how long that took.
func (b *bubble) start(worker func(ctx context.Context) error) (stop func() time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- worker(ctx) }()
	var once sync.Once
	var took time.Duration
	stop = func() time.Duration {
		once.Do(func() {
			begin := time.Now()
			cancel()
			if err := <-done; err != nil {
				b.t.Errorf("worker: %v", err)
			}
			took = time.Since(begin)
		})
		return took
	}
	b.t.Cleanup(func() { stop() })
	return stop
}

func (b *bubble) consumer(cfg kafka.ConsumerConfig) *kafka.Consumer {
	b.t.Helper()
	if cfg.Brokers == nil {
		cfg.Config = b.cfg
	}
	cfg.Group, cfg.Topics = "group", []string{topic}
	c, err := kafka.NewConsumer(cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

// committed returns the group's offset of partition 0, -1 where there is none.
func (b *bubble) committed(group string) int64 {
	b.t.Helper()
	offsets, err := kadm.NewClient(b.raw).FetchOffsets(b.t.Context(), group)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return -1
	}
	if err != nil {
		b.t.Fatal(err)
	}
	if o, ok := offsets.Lookup(topic, 0); ok {
		return o.At
	}
	return -1
}

// within waits at most d of virtual time for cond and returns how long it took.
func (b *bubble) within(d time.Duration, what string, cond func() bool) time.Duration {
	b.t.Helper()
	begin := time.Now()
	for !cond() {
		if time.Since(begin) > d {
			b.t.Fatalf("not within %s: %s", d, what)
		}
		time.Sleep(50 * time.Millisecond)
	}
	return time.Since(begin)
}

// handled is a log of what a handler did.
type handled struct {
	mu  sync.Mutex
	ids []string
}

func (h *handled) add(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ids = append(h.ids, id)
}

func (h *handled) count(id string) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, x := range h.ids {
		if x == id || id == "" {
			n++
		}
	}
	return n
}

// cable is a network that can be cut: connections hang up and dials fail.
type cable struct {
	dial  func(ctx context.Context, network, address string) (net.Conn, error)
	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

func (c *cable) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("cable is cut")}
	}
	conn, err := c.dial(ctx, network, address)
	if err == nil {
		c.conns = append(c.conns, conn)
	}
	return conn, err
}

func (c *cable) set(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = cut
	if cut {
		for _, conn := range c.conns {
			_ = conn.Close()
		}
		c.conns = nil
	}
}

func (b *bubble) cabled() (*cable, kafka.Config) {
	c := &cable{dial: b.cfg.Dial}
	cfg := b.cfg
	cfg.Dial = c.Dial
	return c, cfg
}
