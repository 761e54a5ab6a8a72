package devbroker_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
	"github.com/signalbox-ml/signalbox/events/kafka/devbroker"
)

const childDir = "SIGNALBOX_DEVBROKER_TEST_DIR"

// TestMain is also the program of a broker that a test can kill.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		b, err := devbroker.Start(devbroker.Config{Dir: dir})
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		fmt.Println(b.Addr())
		_, _ = io.Copy(io.Discard, os.Stdin) // until the test is over, however it ends
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const topic = "events.things"

func start(t *testing.T, cfg devbroker.Config) *devbroker.Broker {
	t.Helper()
	b, err := devbroker.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func ensure(t *testing.T, addr string) {
	t.Helper()
	adm, err := kafka.NewAdmin(kafka.AdminConfig{Config: kafka.Config{Brokers: []string{addr}}})
	if err != nil {
		t.Fatal(err)
	}
	defer adm.Close()
	if err := adm.EnsureTopics(t.Context(), append(events.LifecycleTopics(), events.TopicSpec{Name: topic, Partitions: 2})); err != nil {
		t.Fatal(err)
	}
}

// write appends n events and returns the ids that were acknowledged.
func write(t *testing.T, addr, prefix string, n int) (acked []string) {
	t.Helper()
	p, err := kafka.NewProducer(kafka.ProducerConfig{Config: kafka.Config{Brokers: []string{addr}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close(context.Background()) }()
	for i := range n {
		id := fmt.Sprintf("%s-%d", prefix, i)
		ev, err := events.New("org.example.thing", "urn:example:devbroker", id, id, time.Now(), map[string]int{"i": i})
		if err != nil {
			t.Fatal(err)
		}
		out := p.Append(t.Context(), topic, []events.Event{ev})[0]
		if out.Err != nil {
			t.Fatal(out.Err)
		}
		acked = append(acked, id)
	}
	return acked
}

// read returns how often each id is in the topic.
func read(t *testing.T, addr string) map[string]int {
	t.Helper()
	f, err := kafka.NewFollower(kafka.Config{Brokers: []string{addr}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got, whole := map[string]int{}, false
	if err := f.Follow(ctx, topic, func(ev events.Event) { got[ev.ID()]++ }, func() { whole = true; cancel() }); err != nil || !whole {
		t.Fatalf("read %d events: %v", len(got), err)
	}
	return got
}

func complete(t *testing.T, got map[string]int, want []string) {
	t.Helper()
	for _, id := range want {
		if got[id] == 0 {
			t.Errorf("%s is lost", id)
		}
	}
}

func TestRestartKeepsRecordsAndPort(t *testing.T) {
	dir := t.TempDir()
	b := start(t, devbroker.Config{Dir: dir})
	ensure(t, b.Addr())
	acked := write(t, b.Addr(), "first", 50)
	addr := b.Addr()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = start(t, devbroker.Config{Dir: dir})
	if b.Addr() != addr {
		t.Errorf("address was %s and is %s", addr, b.Addr())
	}
	acked = append(acked, write(t, b.Addr(), "second", 50)...)
	complete(t, read(t, b.Addr()), acked)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTakenPortIsReplaced(t *testing.T) {
	dir := t.TempDir()
	b := start(t, devbroker.Config{Dir: dir})
	addr := b.Addr()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	b = start(t, devbroker.Config{Dir: dir})
	defer b.Close()
	if b.Addr() == addr {
		t.Errorf("two listeners on %s", addr)
	}
	ensure(t, b.Addr())
}

func TestOneProcessPerDirectory(t *testing.T) {
	dir := t.TempDir()
	b := start(t, devbroker.Config{Dir: dir})
	if _, err := devbroker.Start(devbroker.Config{Dir: dir}); !errors.Is(err, devbroker.ErrInUse) {
		t.Errorf("second start: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	again := start(t, devbroker.Config{Dir: dir})
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestKilledBrokerKeepsWhatItAcknowledged(t *testing.T) {
	dir := t.TempDir()
	var acked []string
	for round := range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		out, err1 := cmd.StdoutPipe()
		_, err2 := cmd.StdinPipe()
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		addr := strings.TrimSpace(line)
		if err != nil || strings.HasPrefix(addr, "error") {
			t.Fatalf("child: %s %v", addr, err)
		}
		ensure(t, addr)
		acked = append(acked, write(t, addr, fmt.Sprint("round-", round), 100)...)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed, as wanted
	}
	b := start(t, devbroker.Config{Dir: dir})
	defer b.Close()
	complete(t, read(t, b.Addr()), acked)
}

func TestTopicsAreNotMadeByPublishing(t *testing.T) {
	b := start(t, devbroker.Config{Dir: t.TempDir()})
	defer b.Close()
	p, err := kafka.NewProducer(kafka.ProducerConfig{Config: kafka.Config{Brokers: []string{b.Addr()}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close(context.Background()) }()
	ev, err := events.New("t", "urn:example", "s", "1", time.Now(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if out := p.Append(t.Context(), topic, []events.Event{ev})[0]; !errors.Is(out.Err, events.ErrNoTopic) {
		t.Errorf("outcome %+v", out)
	}
}

func TestBadConfigurations(t *testing.T) {
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]devbroker.Config{
		"no directory": {}, "no port": {Dir: t.TempDir(), Addr: "127.0.0.1"}, "directory is a file": {Dir: file}, "foreign address": {Dir: t.TempDir(), Addr: "192.0.2.1:0"},
	} {
		if b, err := devbroker.Start(cfg); err == nil {
			t.Errorf("%s: started", name)
			b.Close()
		}
	}
}
