package kafkatest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
)

// patience bounds every wait of the suite: virtual in a bubble, generous on a busy machine.
const patience = 90 * time.Second

// Case is one promise of package kafka. Run may be called inside a synctest bubble; topics are named after the case, so
// one broker can take all cases.
type Case struct {
	Name string
	Run  func(t *testing.T, cfg kafka.Config)
}

// Cases is the contract suite.
func Cases() []Case {
	return slices.Concat(adminCases(), publishCases(), deadLetterCases(), limitCases(), replayCases(), replayFaultCases(), followCases(), GroupCases())
}

// GroupCases are those that have to do with consumer groups: they hold with either protocol.
func GroupCases() []Case {
	return slices.Concat(consumeCases(), tapCases(), tapLogCases(), tapFaultCases())
}

// kit is what a case works with.
type kit struct {
	t   *testing.T
	ctx context.Context
	cfg kafka.Config
	adm *kafka.Admin
	raw *kgo.Client // for records that no Publisher would write, and to look at topics
}

func newKit(t *testing.T, cfg kafka.Config) *kit {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	adm, err := kafka.NewAdmin(kafka.AdminConfig{Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); adm.Close() })
	k := &kit{t: t, ctx: ctx, cfg: cfg, adm: adm}
	if cfg.TLS.Enabled || cfg.SASL.Mechanism != "" {
		return k // raw would not get in
	}
	if k.raw, err = kgo.NewClient(clientOptions(cfg)...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.raw.Close)
	return k
}

func clientOptions(cfg kafka.Config, more ...kgo.Opt) []kgo.Opt {
	opts := []kgo.Opt{kgo.SeedBrokers(cfg.Brokers...), kgo.MetadataMinAge(100 * time.Millisecond)}
	if cfg.Dial != nil {
		opts = append(opts, kgo.Dialer(cfg.Dial))
	}
	return append(opts, more...)
}

// name makes a name for this case's topics and groups.
func (k *kit) name(part string) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, k.t.Name())
	return clean + "-" + part
}

// topic makes an application topic.
func (k *kit) topic(part string, partitions int32) string {
	k.t.Helper()
	name := events.StreamTopic(k.name(part))
	k.ensure(events.TopicSpec{Name: name, Partitions: partitions})
	return name
}

func (k *kit) ensure(specs ...events.TopicSpec) {
	k.t.Helper()
	if err := k.adm.EnsureTopics(k.ctx, specs); err != nil {
		k.t.Fatal(err)
	}
}

func (k *kit) producer(cfg kafka.ProducerConfig) *kafka.Producer {
	k.t.Helper()
	cfg.Config = k.cfg
	p, err := kafka.NewProducer(cfg)
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			k.t.Error(err)
		}
	})
	return p
}

// produce writes raw records and returns once they are in the log.
func (k *kit) produce(records ...*kgo.Record) {
	k.t.Helper()
	if err := k.raw.ProduceSync(k.ctx, records...).FirstErr(); err != nil {
		k.t.Fatal(err)
	}
}

// append writes events of the given subjects, one after another.
func (k *kit) append(p *kafka.Producer, topic string, subjects ...string) {
	k.t.Helper()
	for i, s := range subjects {
		for _, out := range p.Append(k.ctx, topic, []events.Event{k.event(s, fmt.Sprintf("%s-%d", s, i))}) {
			if out.Err != nil {
				k.t.Fatal(out.Err)
			}
		}
	}
}

func (k *kit) event(subject, id string) events.Event {
	k.t.Helper()
	ev, err := events.New("org.example.thing", "urn:example:suite", subject, id, time.Unix(1700000000, 0), map[string]string{"id": id})
	if err != nil {
		k.t.Fatal(err)
	}
	return ev
}

// run runs a worker until stop, which waits for it and may be called again.
func (k *kit) run(worker func(ctx context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(k.ctx)
	done := make(chan error, 1)
	go func() { done <- worker(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-done:
				if err != nil {
					k.t.Errorf("worker: %v", err)
				}
			case <-time.After(patience):
				k.t.Error("worker does not stop")
			}
		})
	}
	k.t.Cleanup(stop)
	return stop
}

// eventually waits for a condition.
func (k *kit) eventually(what string, cond func() bool) {
	k.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline.C:
			k.t.Fatalf("never: %s", what)
		}
	}
}

// read returns the first n records of topic.
func (k *kit) read(topic string, n int) []*kgo.Record {
	k.t.Helper()
	cl, err := kgo.NewClient(clientOptions(k.cfg, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
	if err != nil {
		k.t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(k.ctx, patience)
	defer cancel()
	var out []*kgo.Record
	for len(out) < n {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			k.t.Fatalf("only %d of %d records in %s", len(out), n, topic)
		}
		out = append(out, fetches.Records()...)
	}
	return out
}
