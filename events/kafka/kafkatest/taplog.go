package kafkatest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
)

// tapLogCases are about logs that are not just one record after another.
func tapLogCases() []Case {
	return []Case{
		{"aborted and control records leave gaps", tapPassesTransactions},
		{"an open transaction is no end", tapWaitsForTransaction},
		{"compaction leaves gaps", tapPassesCompaction},
		{"what retention removed is reported", tapReportsLoss},
		{"retention overtakes a sink that fails", tapReportsLossLater},
	}
}

func (k *kit) transactor() *kgo.Client {
	k.t.Helper()
	cl, err := kgo.NewClient(clientOptions(k.cfg, kgo.TransactionalID(k.name("txn")), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(cl.Close)
	return cl
}

func tapPassesTransactions(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	topic := k.topic("t", 1)
	cl := k.transactor()
	for _, how := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
		if err := errors.Join(cl.BeginTransaction(),
			cl.ProduceSync(k.ctx, &kgo.Record{Topic: topic, Value: []byte("x")}, &kgo.Record{Topic: topic, Value: []byte("y")}).FirstErr(),
			cl.EndTransaction(k.ctx, how)); err != nil {
			t.Fatal(err)
		}
	}
	sink := newTank()
	k.tap(sink)
	k.eventually("the end is reached behind the last marker", func() bool {
		return sink.look(func(s *tank) bool { return s.idle[topic+"/0"] > 0 && s.next[topic+"/0"] == s.end[topic+"/0"] })
	})
	if got := sink.offsets(topic + "/0"); !slices.Equal(got, []int64{0, 1, 6, 7}) {
		t.Errorf("offsets %v", got)
	}
}

// tapWaitsForTransaction: while a transaction is open, what it may still commit is not passed. The second partition,
// which has no transaction, says how much time has gone by.
func tapWaitsForTransaction(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	topic := k.topic("t", 2)
	held, clock := topic+"/0", topic+"/1"
	cl := k.transactor()
	plain, err := kgo.NewClient(clientOptions(k.cfg, kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	write := func(cl *kgo.Client, value string) error {
		return cl.ProduceSync(k.ctx, &kgo.Record{Topic: topic, Value: []byte(value)}).FirstErr()
	}
	if err := errors.Join(write(plain, "before"), cl.BeginTransaction(), write(cl, "open"), write(plain, "behind")); err != nil {
		t.Fatal(err)
	}
	sink := newTank()
	k.tap(sink)
	k.eventually("what is before the transaction arrives", func() bool { return slices.Equal(sink.offsets(held), []int64{0}) })
	k.eventually("time goes by", func() bool { return sink.look(func(s *tank) bool { return s.idle[clock] >= 4 }) })
	sink.look(func(s *tank) bool {
		if s.idle[held] != 0 || s.next[held] != 1 || len(s.held[held]) != 1 {
			t.Errorf("with an open transaction: %d times idle, next %d, %d records", s.idle[held], s.next[held], len(s.held[held]))
		}
		return true
	})
	if err := cl.EndTransaction(k.ctx, kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	k.eventually("the end is reached", func() bool {
		return sink.look(func(s *tank) bool { return s.idle[held] > 0 && s.next[held] == 4 && s.end[held] == 4 })
	})
	if got := sink.offsets(held); !slices.Equal(got, upTo(0, 3)) {
		t.Errorf("offsets %v", got)
	}
}

// tapPassesCompaction: the sink starts inside of a gap, too.
func tapPassesCompaction(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	topic := events.StreamTopic(k.name("t"))
	_, err := kadm.NewClient(k.raw).CreateTopic(k.ctx, 1, -1, map[string]*string{
		"cleanup.policy": kadm.StringPtr("compact"), "segment.ms": kadm.StringPtr("200"), "min.cleanable.dirty.ratio": kadm.StringPtr("0.001"),
		"max.compaction.lag.ms": kadm.StringPtr("200"), "message.timestamp.type": kadm.StringPtr("LogAppendTime"),
	}, topic)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a", "b", "a", "b", "a", "c"} {
		k.produce(&kgo.Record{Topic: topic, Key: []byte(key), Value: []byte(key)})
	}
	last := int64(6)
	var left []int64
	k.eventually("the log has gaps", func() bool {
		k.produce(&kgo.Record{Topic: topic, Key: []byte("roll"), Value: []byte("ends a segment")})
		last++
		left = k.offsets(topic, last)
		return !slices.Contains(left, 0) && !slices.Contains(left, 2) && slices.Contains(left, 3)
	})
	sink := newTank()
	sink.start = func(events.TopicPartition) (int64, error) { return 2, nil }
	k.tap(sink)
	k.eventually("the end is reached", func() bool {
		return sink.look(func(s *tank) bool {
			return s.idle[topic+"/0"] > 0 && s.next[topic+"/0"] == last && s.end[topic+"/0"] == last
		})
	})
	if got := sink.offsets(topic + "/0"); len(got) == 0 || got[0] != 3 || int64(len(got)) >= last-2 || !slices.IsSorted(got) {
		t.Errorf("offsets %v of %v", got, left)
	}
}

// offsets of what the log of a topic with one partition has before end.
func (k *kit) offsets(topic string, end int64) []int64 {
	k.t.Helper()
	cl, err := kgo.NewClient(clientOptions(k.cfg, kgo.ConsumeTopics(topic))...)
	if err != nil {
		k.t.Fatal(err)
	}
	defer cl.Close()
	var out []int64
	for len(out) == 0 || out[len(out)-1] < end-1 {
		for _, r := range cl.PollFetches(k.ctx).Records() {
			out = append(out, r.Offset)
		}
	}
	return out
}

func (k *kit) deleteRecords(topic string, before int64) {
	k.t.Helper()
	_, err := kadm.NewClient(k.raw).DeleteRecords(k.ctx, kadm.Offsets{topic: {0: {Topic: topic, Partition: 0, At: before}}})
	if err != nil {
		k.t.Fatal(err)
	}
}

func tapReportsLoss(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	topic := k.topic("t", 1)
	key := topic + "/0"
	p := k.producer(kafka.ProducerConfig{})
	k.append(p, topic, "a", "b", "c", "d")
	k.deleteRecords(topic, 3)
	sink := newTank()
	sink.start = func(events.TopicPartition) (int64, error) { return 1, nil }
	k.tap(sink)
	k.eventually("the record that is left arrives", func() bool { return slices.Equal(sink.offsets(key), []int64{3}) })
	k.append(p, topic, "e")
	k.eventually("the next record arrives", func() bool { return slices.Equal(sink.offsets(key), []int64{3, 4}) })
	if sink.look(func(s *tank) bool { return s.lost[key] != 3 || s.overlap }) {
		t.Errorf("lost up to %d, calls %v", sink.lost[key], sink.calls[key])
	}
}

// tapReportsLossLater: the log's start moves past a partition that is assigned, while its sink cannot take records.
func tapReportsLossLater(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	topic := k.topic("t", 1)
	key := topic + "/0"
	p := k.producer(kafka.ProducerConfig{})
	k.append(p, topic, "a", "b", "c", "d")
	sink := newTank()
	refused, removed := make(chan struct{}), make(chan struct{})
	sink.refuse = func(events.TopicPartition, []events.Record) error {
		select {
		case <-removed:
			return nil
		default:
		}
		close(refused)
		<-removed
		return errors.New("store is away")
	}
	k.tap(sink)
	select {
	case <-refused:
	case <-time.After(patience):
		t.Fatal("nothing arrives")
	}
	k.deleteRecords(topic, 3)
	close(removed)
	k.eventually("the record that is left arrives", func() bool { return slices.Equal(sink.offsets(key), []int64{3}) })
	if sink.look(func(s *tank) bool { return s.lost[key] != 3 || s.overlap }) {
		t.Errorf("lost up to %d, calls %v", sink.lost[key], sink.calls[key])
	}
}
