package kafkatest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
)

func tapCases() []Case {
	return []Case{
		{"a tap gives raw records from where the sink says", tapStartsAtSink},
		{"an idle partition is known to be caught up", tapTellsIdle},
		{"new topics are found", tapFindsTopics},
		{"commits are visible and need ownership", tapCommits},
	}
}

// tank is a sink that remembers everything. Its hooks run first and without its lock.
type tank struct {
	start   func(tp events.TopicPartition) (int64, error)
	refuse  func(tp events.TopicPartition, recs []events.Record) error
	mu      sync.Mutex
	held    map[string][]events.Record // by topic/partition
	next    map[string]int64
	end     map[string]int64
	idle    map[string]int
	calls   map[string][]string
	ids     map[string]events.TopicPartition
	lost    map[string]int64
	overlap bool
	within  map[string]bool
}

func newTank() *tank {
	return &tank{held: map[string][]events.Record{}, next: map[string]int64{}, end: map[string]int64{}, idle: map[string]int{},
		calls: map[string][]string{}, ids: map[string]events.TopicPartition{}, lost: map[string]int64{}, within: map[string]bool{}}
}

// enter notes a call and that no other call for the partition is in progress.
func (s *tank) enter(tp events.TopicPartition, call string) (leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := tp.String()
	s.overlap = s.overlap || s.within[key]
	s.within[key] = true
	s.calls[key] = append(s.calls[key], call)
	s.ids[key] = tp
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.within[key] = false
	}
}

// Assigned starts where start says, else at 0.
func (s *tank) Assigned(_ context.Context, tp events.TopicPartition) (int64, error) {
	defer s.enter(tp, "assigned")()
	if s.start != nil {
		return s.start(tp)
	}
	return 0, nil
}

// Records keeps recs unless refuse says otherwise.
func (s *tank) Records(_ context.Context, tp events.TopicPartition, recs []events.Record, next, end int64) error {
	defer s.enter(tp, "records")()
	if s.refuse != nil {
		if err := s.refuse(tp, recs); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := tp.String()
	s.held[key] = append(s.held[key], recs...)
	s.next[key], s.end[key] = next, end
	if len(recs) == 0 {
		s.idle[key]++
	}
	return nil
}

// Lost goes on at the log's start.
func (s *tank) Lost(_ context.Context, tp events.TopicPartition, logStart int64) (int64, error) {
	defer s.enter(tp, "lost")()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost[tp.String()] = logStart
	return logStart, nil
}

// Revoked only notes the call.
func (s *tank) Revoked(_ context.Context, tp events.TopicPartition) { defer s.enter(tp, "revoked")() }

// offsets of what is held of a partition.
func (s *tank) offsets(key string) []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []int64
	for _, r := range s.held[key] {
		out = append(out, r.Offset)
	}
	return out
}

// partition that was assigned as key.
func (s *tank) partition(key string) events.TopicPartition {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ids[key]
}

func (s *tank) look(f func(s *tank) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return f(s)
}

// tap runs a tap over the topics of this case.
func (k *kit) tap(sink events.Sink) (*kafka.Tap, func()) {
	k.t.Helper()
	tap, err := kafka.NewTap(kafka.TapConfig{Config: k.cfg, Group: k.name("tap"), Pattern: "^events\\." + k.name("") + ".*$",
		Discovery: 500 * time.Millisecond, BackoffMax: 2 * time.Second})
	if err != nil {
		k.t.Fatal(err)
	}
	return tap, k.run(func(ctx context.Context) error { return tap.Run(ctx, sink) })
}

func upTo(from, to int64) []int64 {
	var out []int64
	for ; from < to; from++ {
		out = append(out, from)
	}
	return out
}

func tapStartsAtSink(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	topic := k.topic("t", 1)
	key := topic + "/0"
	k.append(k.producer(kafka.ProducerConfig{}), topic, "a", "b", "c")
	odd := &kgo.Record{Topic: topic, Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("1")}, {Key: "h", Value: []byte{}}, {Key: "n"}}}
	empty := &kgo.Record{Topic: topic, Key: []byte{}, Value: []byte{}}
	k.produce(odd, empty)
	sink := newTank()
	sink.start = func(events.TopicPartition) (int64, error) { return 1, nil }
	_, stop := k.tap(sink)
	k.eventually("the records arrive", func() bool { return slices.Equal(sink.offsets(key), upTo(1, 5)) })
	stop()
	ids, err := k.adm.TopicIDs(k.ctx, topic)
	if err != nil || ids[topic] != sink.ids[key].TopicID || ids[topic] == ([16]byte{}) {
		t.Errorf("topic id %x, want %x %v", sink.ids[key].TopicID, ids[topic], err)
	}
	held := sink.held[key]
	if ev, err := kafka.Decode(held[0]); err != nil || ev.ID() != "b-1" {
		t.Errorf("%v %v", ev, err)
	}
	want := []events.RecordHeader{{Key: "h", Value: []byte("1")}, {Key: "h", Value: []byte{}}, {Key: "n"}}
	if held[2].Key != nil || held[2].Value != nil || !slices.EqualFunc(held[2].Headers, want, func(a, b events.RecordHeader) bool {
		return a.Key == b.Key && string(a.Value) == string(b.Value) && (a.Value == nil) == (b.Value == nil)
	}) {
		t.Errorf("odd record %+v", held[2])
	}
	if held[3].Key == nil || held[3].Value == nil || held[3].AppendTime.IsZero() || held[3].AppendTime.Before(held[0].AppendTime) {
		t.Errorf("empty record %+v", held[3])
	}
	calls := sink.calls[key]
	if sink.overlap || calls[0] != "assigned" || calls[len(calls)-1] != "revoked" || sink.next[key] != 5 || sink.end[key] != 5 {
		t.Errorf("calls %v, next %d, end %d", calls, sink.next[key], sink.end[key])
	}
}

func tapTellsIdle(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	topic := k.topic("t", 2)
	k.append(k.producer(kafka.ProducerConfig{}), topic, "a")
	sink := newTank()
	k.tap(sink)
	k.eventually("both partitions are idle at their ends, twice", func() bool {
		return sink.look(func(s *tank) bool {
			total := s.end[topic+"/0"] + s.end[topic+"/1"]
			return s.idle[topic+"/0"] >= 2 && s.idle[topic+"/1"] >= 2 && total == 1 && len(s.held[topic+"/0"])+len(s.held[topic+"/1"]) == 1
		})
	})
}

func tapFindsTopics(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	sink := newTank()
	k.tap(sink)
	p := k.producer(kafka.ProducerConfig{})
	for i := range 2 {
		topic := k.topic(fmt.Sprint("t", i), 1)
		k.append(p, topic, "a")
		k.eventually("the record arrives", func() bool { return len(sink.offsets(topic+"/0")) == 1 })
	}
}

func tapCommits(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	topic := k.topic("t", 1)
	k.append(k.producer(kafka.ProducerConfig{}), topic, "a", "b")
	sink := newTank()
	tap, stop := k.tap(sink)
	k.eventually("the records arrive", func() bool { return len(sink.offsets(topic+"/0")) == 2 })
	var tp events.TopicPartition
	sink.look(func(s *tank) bool { tp = s.ids[topic+"/0"]; return true })
	if err := tap.Commit(k.ctx, tp, 2); err != nil {
		t.Fatal(err)
	}
	offsets, err := kadm.NewClient(k.raw).FetchOffsets(k.ctx, k.name("tap"))
	if at, ok := offsets.Lookup(topic, 0); err != nil || !ok || at.At != 2 {
		t.Errorf("committed %v %v %v", at, ok, err)
	}
	other := tp
	other.TopicID[0]++
	if tap.Commit(k.ctx, other, 2) == nil {
		t.Error("committed for another topic of that name")
	}
	stop()
	if tap.Commit(k.ctx, tp, 2) == nil {
		t.Error("committed after the end")
	}
}
