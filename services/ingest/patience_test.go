package ingest

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
	"github.com/signalbox-ml/signalbox/registry/streams"
)

// TestThePublisherGivesUpFirst: it knows more of what became of an event than the one who waits for it. Both have their
// defaults here.
func TestThePublisherGivesUpFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := kafka.ProducerConfig{}
		cfg.Brokers = []string{"localhost:9092"}
		cfg.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("nobody is there") }
		p, err := kafka.NewProducer(cfg)
		if err != nil {
			t.Fatal(err)
		}
		s, err := New(Config{Publisher: p, Specs: &shelf{}})
		if err != nil {
			t.Fatal(err)
		}
		it := decodeJSON([]byte(flight("a", "")))
		it.contract = &streams.Contract{Topic: "events.flights"}
		begin := time.Now()
		s.publish(t.Context(), []*item{&it})
		if took := time.Since(begin); took == 0 || took >= s.cfg.PublishTimeout {
			t.Errorf("the publisher gave up after %s, the server does after %s", took, s.cfg.PublishTimeout)
		}
		if it.fault == nil || it.fault.Status != 503 || !errors.Is(it.cause, events.ErrUnacknowledged) {
			t.Errorf("%v: %v", it.fault, it.cause)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Error(err)
		}
	})
}
