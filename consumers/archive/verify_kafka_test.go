package archive_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
	"github.com/signalbox-ml/signalbox/events/kafka/kafkatest"
)

// TestVerifyAgainstABroker archives what producers wrote, and compares it with what the broker has, record by record.
func TestVerifyAgainstABroker(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	v, err := kafkatest.NewVirtual()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	admin, err := kafka.NewAdmin(kafka.AdminConfig{Config: v.Config()})
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	const topic, n = "events.flights", 40
	if err := admin.EnsureTopics(ctx, []events.TopicSpec{{Name: topic, Partitions: 3}}); err != nil {
		t.Fatal(err)
	}
	produce(ctx, t, v.Config(), topic, n)

	w := newWorld()
	if report := w.verifiedBy(t, admin, time.Nanosecond); len(report.Faults) == 0 {
		t.Error("nothing is archived, and nothing is wrong")
	}
	bounds, err := admin.Bounds(ctx, "^events")
	if err != nil {
		t.Fatal(err)
	}
	for tp, b := range bounds {
		var log []events.Record
		for r, err := range admin.Records(ctx, tp, b.Start, b.End) {
			if err != nil {
				t.Fatal(err)
			}
			log = append(log, r)
		}
		feed(ctx, w.archiver(t, func(c *archive.Config) { c.MaxRows = 5 }), tp, log, b.End)
	}
	report := w.verifiedBy(t, admin, time.Minute)
	if len(report.Faults) > 0 || report.Kafka.Partitions != 3 || report.Kafka.Compared != n || report.Rows != n {
		t.Errorf("%+v %+v, want %d records compared", report, report.Kafka, n)
	}
}

func (w world) verifiedBy(t *testing.T, admin *kafka.Admin, grace time.Duration) archive.Report {
	t.Helper()
	report, err := archive.Verifier{Ledger: w.ledger, Bucket: w.bucket, Log: admin, Deep: true, Grace: grace}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func produce(ctx context.Context, t *testing.T, cfg kafka.Config, topic string, n int) {
	t.Helper()
	p, err := kafka.NewProducer(kafka.ProducerConfig{Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(ctx)
	evs := make([]events.Event, n)
	for i := range evs {
		ev, err := events.New("flight.departed", "/test", fmt.Sprint("N", i), fmt.Sprint(i), start(), map[string]int{"delay": i})
		if err != nil {
			t.Fatal(err)
		}
		evs[i] = ev
	}
	for _, o := range p.Append(ctx, topic, evs) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
	}
}
