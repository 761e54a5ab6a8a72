package kafkatest_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
	"github.com/signalbox-ml/signalbox/events/kafka/kafkatest"
)

// cutter dials, and can cut what it dialed: what comes next needs new connections.
type cutter struct {
	mu    sync.Mutex
	conns []net.Conn
}

func (c *cutter) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns = append(c.conns, conn)
	return conn, nil
}

func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.conns = nil
}

// journal is a log that can be searched.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

func (j *journal) has(s string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Contains(j.buf.String(), s)
}

// certificateIsRenewed: one client sees its certificate expire and be renewed, in place.
func (b *secureBroker) certificateIsRenewed(t *testing.T) {
	wire := &cutter{}
	cfg := b.Dial(kafkatest.ListenerMTLS)
	cfg.TLS, cfg.Dial = b.issue(t, b.Authority, "renewed", time.Now().Add(time.Hour)), wire.dial
	adm, err := kafka.NewAdmin(kafka.AdminConfig{Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	defer adm.Close()
	if err := adm.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.issue(t, b.Authority, "renewed", time.Now().Add(-time.Hour))
	wire.cut()
	await(t, "the expired certificate is refused", func() bool { return errors.Is(adm.Ping(t.Context()), kafka.ErrSecurity) })
	b.issue(t, b.Authority, "renewed", time.Now().Add(time.Hour))
	await(t, "the renewed certificate is taken", func() bool { return adm.Ping(t.Context()) == nil })
}

// passwordIsMended: a producer and a consumer that were started with a wrong password say so, and go on once it is right.
func (b *secureBroker) passwordIsMended(t *testing.T) {
	const topic = "events.mended"
	adm, err := kafka.NewAdmin(kafka.AdminConfig{Config: b.Config()})
	if err != nil {
		t.Fatal(err)
	}
	defer adm.Close()
	if err := adm.EnsureTopics(t.Context(), []events.TopicSpec{{Name: topic, Partitions: 1}}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "password")
	write := func(password string) {
		if err := os.WriteFile(file, []byte(password), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("battery-staple")
	said := &journal{}
	cfg := b.Dial(kafkatest.ListenerSASLTLS)
	cfg.TLS, cfg.SASL = b.tls(), kafka.SASL{Mechanism: kafka.ScramSHA512, User: kafkatest.SecureUser, PasswordFile: file}
	cfg.Log = slog.New(slog.NewTextHandler(said, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg.Log.Info("configured", "sasl", cfg.SASL, "config", cfg)

	handled := make(chan string, 1)
	c, err := kafka.NewConsumer(kafka.ConsumerConfig{Config: cfg, Group: "mended", Topics: []string{topic},
		Handler: events.HandlerFunc(func(_ context.Context, ev events.Event) error { handled <- ev.ID(); return nil })})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = c.Run(ctx) })
	defer wg.Wait()
	defer stop()
	p, err := kafka.NewProducer(kafka.ProducerConfig{Config: cfg, DeliveryTimeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close(t.Context()) }()
	ev, err := events.New("org.example.thing", "urn:example:suite", "s", "1", time.Unix(1700000000, 0), map[string]string{})
	if err != nil {
		t.Fatal(err)
	}
	publish := func() error { return p.Append(t.Context(), topic, []events.Event{ev})[0].Err }
	if err := publish(); !errors.Is(err, events.ErrUnacknowledged) {
		t.Errorf("the producer says %v", err)
	}
	const why = `event="unable to initialize sasl" broker=seed_0 err="kafka security: the broker does not know SCRAM-SHA-512 as alice`
	await(t, "the log says why", func() bool { return said.has(`"kafka client" `+why) && said.has("group=mended "+why) })
	write(kafkatest.SecurePassword)
	await(t, "the producer goes on", func() bool { return publish() == nil })
	select {
	case <-handled:
	case <-time.After(time.Minute):
		t.Error("the consumer does not go on")
	}
	for _, secret := range []string{kafkatest.SecurePassword, "battery-staple"} {
		if said.has(secret) {
			t.Errorf("%s is in the log", secret)
		}
	}
}

// await waits for a condition.
func await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("never: %s", what)
		}
	}
}
