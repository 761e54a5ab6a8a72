package kafkatest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/signalbox-ml/signalbox/events/kafka"
)

func replayFaultCases() []Case {
	return []Case{
		{"a replay that dies before any of its requests is finished by the next", func(t *testing.T, cfg kafka.Config) { replayDies(t, cfg, false) }},
		{"a replay that dies after any of its requests is finished by the next", func(t *testing.T, cfg kafka.Config) { replayDies(t, cfg, true) }},
		{"of two replays at once the later one goes on", replayTakesOver},
	}
}

var errDead = errors.New("the process is dead")

// cord is a process's connection to the brokers. Cut, it looks to them as if the process had been killed: nothing more is
// said, not even that a transaction is given up.
type cord struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)
	kind int  // of requests that count, as the protocol numbers them; below 0 all
	left int  // of them until the cut
	late bool // the last write is answered, and the answer does not arrive

	dead  chan struct{} // closed by the cut
	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

func (c *cord) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if c.isCut() {
		wait := time.NewTimer(time.Second) // nobody is there to be told quickly
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-ctx.Done():
		}
		return nil, errDead
	}
	conn, err := c.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns = append(c.conns, conn)
	return &corded{Conn: conn, c: c}, nil
}

func (c *cord) isCut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cut
}

// next counts a request, and says whether it is the last one.
func (c *cord) next(request []byte) (last bool) {
	const size = 4 // comes before the kind
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kind >= 0 && int(binary.BigEndian.Uint16(request[size:])) != c.kind {
		return false
	}
	c.left--
	return c.left == -1
}

func (c *cord) die() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		return
	}
	c.cut = true
	close(c.dead)
	for _, conn := range c.conns {
		_ = conn.Close()
	}
}

type corded struct {
	net.Conn
	c    *cord
	last atomic.Bool // what is read next is the answer that must not arrive
}

func (w *corded) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if w.last.Load() {
		w.c.die()
		return 0, errDead
	}
	return n, err
}

// Write is one request: the client writes them whole.
func (w *corded) Write(b []byte) (int, error) {
	if w.c.isCut() {
		return 0, errDead
	}
	last := w.c.next(b)
	if last && !w.c.late {
		w.c.die()
		return 0, errDead
	}
	w.last.Store(last)
	return w.Conn.Write(b)
}

// killed runs a replay that dies at its request of number at, of those of a kind, and reports whether it did.
func (k *kit) killed(cfg kafka.ReplayConfig, kind, at int, late bool) bool {
	dial := k.cfg.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	c := &cord{dial: dial, kind: kind, left: at, late: late, dead: make(chan struct{})}
	cfg.Config = k.cfg
	cfg.Dial = c.Dial
	ctx, cancel := context.WithCancel(k.ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := kafka.Replay(ctx, cfg)
		done <- err
	}()
	select {
	case <-c.dead:
		cancel()
		k.t.Cleanup(func() { <-done }) // its goroutines still try for a while; the broker hears nothing of that
		return true
	case err := <-done:
		if err != nil {
			k.t.Fatal(err)
		}
		return false
	}
}

// replayDies: each run dies one request later than the one before; then some die where it matters, which the first ones may
// miss, as no two runs say quite the same.
func replayDies(t *testing.T, cfg kafka.Config, late bool) {
	k := newKit(t, cfg)
	topic := k.topic("t", 2)
	var subjects []string
	for i := range 60 {
		subjects = append(subjects, fmt.Sprint("s", i))
	}
	k.bury(topic, subjects...)
	deaths := 0
	few := kafka.ReplayConfig{Topic: topic, Limit: 2}
	for k.killed(few, -1, deaths, late) {
		if deaths++; deaths > 200 {
			t.Fatal("it dies for ever")
		}
	}
	for _, kind := range []kmsg.Key{kmsg.InitProducerID, kmsg.Produce, kmsg.EndTxn} {
		if !k.killed(few, int(kind), 0, late) {
			t.Fatalf("it does not die at %s", kind.Name())
		}
	}
	k.replay(kafka.ReplayConfig{Topic: topic})
	got := ids(t, k.whole(topic), 0)
	if given := k.written(topic) - len(got); deaths < 10 || given == 0 {
		t.Fatalf("%d deaths, %d records given up: the fault did not hit", deaths, given)
	}
	slices.Sort(got)
	var want []string
	for i, s := range subjects {
		want = append(want, fmt.Sprintf("%s-%d", s, i), fmt.Sprintf("%s-%d", s, i))
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("after %d deaths: each twice, and not %v", deaths, got)
	}
}

// written counts the records of topic, committed or not.
func (k *kit) written(topic string) (n int) {
	k.t.Helper()
	ends, err := k.adm.EndOffsets(k.ctx, topic)
	if err != nil {
		k.t.Fatal(err)
	}
	left := map[int32]int64{}
	for tp, end := range ends {
		left[tp.Partition] = end
	}
	cl, err := kgo.NewClient(clientOptions(k.cfg, kgo.ConsumeTopics(topic), kgo.KeepControlRecords())...)
	if err != nil {
		k.t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(k.ctx, patience)
	defer cancel()
	for len(left) > 0 && ctx.Err() == nil {
		cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				n++
			}
			if r.Offset+1 == left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	if len(left) > 0 {
		k.t.Fatalf("%s is not read to its end", topic)
	}
	return n
}

func replayTakesOver(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	topic := k.topic("t", 1)
	k.bury(topic, "a", "b", "c", "d")
	reached, goOn := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	go func() {
		var once sync.Once
		_, err := kafka.Replay(k.ctx, kafka.ReplayConfig{Config: k.cfg, Topic: topic, Rate: 1, Each: func(kafka.DeadLetter) {
			once.Do(func() { close(reached); <-goOn })
		}})
		first <- err
	}()
	<-reached
	if got := k.replay(kafka.ReplayConfig{Topic: topic}); got != (kafka.Replayed{Sent: 3, Before: 1}) {
		t.Errorf("the later one: %+v", got)
	}
	close(goOn)
	if err := <-first; !errors.Is(err, kafka.ErrReplayTakenOver) {
		t.Errorf("the earlier one: %v", err)
	}
	if got := ids(t, k.whole(topic), 4); !slices.Equal(got, []string{"a-0", "b-1", "c-2", "d-3"}) {
		t.Errorf("sent %v", got)
	}
}
