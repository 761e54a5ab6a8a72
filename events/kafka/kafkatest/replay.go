package kafkatest

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
)

func replayCases() []Case {
	return []Case{
		{"dead letters can be listed and looked at", lettersCanBeRead},
		{"a replay sends the record as it was, and once", replaySendsOnce},
		{"a replay takes what its filter chooses", replayFilters},
		{"a letter that was written twice is replayed once", repeatedLetters},
		{"what fails again is a letter of its own", failsAgain},
		{"what is no letter cannot be replayed", forgedLetters},
	}
}

// id returns the id of a topic as letters have it.
func (k *kit) id(topic string) string {
	k.t.Helper()
	ids, err := k.adm.TopicIDs(k.ctx, topic)
	if err != nil {
		k.t.Fatal(err)
	}
	id := ids[topic]
	return hex.EncodeToString(id[:])
}

// whole returns every committed record of topic, in the order of partitions.
func (k *kit) whole(topic string) (out []events.Record) {
	k.t.Helper()
	ends, err := k.adm.EndOffsets(k.ctx, topic)
	if err != nil {
		k.t.Fatal(err)
	}
	for p := range int32(len(ends)) {
		for tp, end := range ends {
			if tp.Partition != p {
				continue
			}
			for r, err := range k.adm.Records(k.ctx, tp, 0, end) {
				if err != nil {
					k.t.Fatal(err)
				}
				out = append(out, r)
			}
		}
	}
	return out
}

func (k *kit) letters(topic string) (out []kafka.DeadLetter) {
	k.t.Helper()
	for d, err := range k.adm.DeadLetters(k.ctx, events.DeadLetterTopic(topic), time.Time{}) {
		if err != nil {
			k.t.Fatal(err)
		}
		out = append(out, d)
	}
	return out
}

// bury appends an event for each subject and lets a consumer send all of them to the dead letters, with the subject as
// reason.
func (k *kit) bury(topic string, subjects ...string) {
	k.t.Helper()
	before := len(k.lettersOrNone(topic))
	k.append(k.producer(kafka.ProducerConfig{}), topic, subjects...)
	h := &seen{fail: func(ev events.Event, _ int) error { return events.Permanent(ev.Subject(), errors.New("not like this")) }}
	stop := k.run(k.consumer(kafka.ConsumerConfig{Topics: []string{topic}, Handler: h, Stage: "judge", Version: "1.2.3"}).Run)
	k.eventually("all events are buried", func() bool { return len(k.lettersOrNone(topic)) == before+len(subjects) })
	stop()
}

func (k *kit) lettersOrNone(topic string) (out []kafka.DeadLetter) {
	for d, err := range k.adm.DeadLetters(k.ctx, events.DeadLetterTopic(topic), time.Time{}) {
		if err != nil {
			return nil
		}
		out = append(out, d)
	}
	return out
}

func (k *kit) replay(cfg kafka.ReplayConfig) kafka.Replayed {
	k.t.Helper()
	if cfg.Brokers == nil {
		cfg.Config = k.cfg
	}
	got, err := kafka.Replay(k.ctx, cfg)
	if err != nil {
		k.t.Fatal(err)
	}
	return got
}

// ids returns the event ids of records after the first n.
func ids(t *testing.T, records []events.Record, n int) (out []string) {
	t.Helper()
	for _, r := range records[n:] {
		ev, err := kafka.Decode(r)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, ev.ID())
	}
	return out
}

func lettersCanBeRead(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	topic := k.topic("t", 1)
	if _, err := k.adm.DeadLetter(k.ctx, events.Position{Topic: events.DeadLetterTopic(topic)}); !errors.Is(err, kafka.ErrNoDeadLetter) {
		t.Errorf("a letter before any was written: %v", err)
	}
	k.bury(topic, "a", "b")
	all, err := k.adm.DeadLetterTopics(k.ctx)
	if err != nil || !slices.Contains(all, events.DeadLetterTopic(topic)) || slices.Contains(all, topic) {
		t.Errorf("topics %v: %v", all, err)
	}
	list, records := k.letters(topic), k.whole(topic)
	if len(list) != 2 {
		t.Fatalf("%d letters", len(list))
	}
	for i, d := range list {
		original := records[i]
		if d.At.String() != fmt.Sprintf("%s.dlq/0/%d", topic, i) || d.Origin.String() != fmt.Sprintf("%s/0/%d", topic, i) || d.OriginID != k.id(topic) ||
			!d.Origin.AppendTime.Equal(original.AppendTime) || d.Reason != []string{"a", "b"}[i] || d.Stage != "judge" || d.Version != "1.2.3" ||
			d.Attempt != 1 || d.Detail != d.Reason+": not like this" || d.Before != "" || d.Replayed || d.Buried.Before(original.AppendTime) ||
			d.FirstFailed.IsZero() {
			t.Errorf("letter %d: %+v", i, d)
		}
		if !slices.EqualFunc(d.Headers, original.Headers, sameHeader) || string(d.Value) != string(original.Value) || string(d.Key) != string(original.Key) {
			t.Errorf("letter %d has %v, want %v", i, d.Headers, original.Headers)
		}
		if one, err := k.adm.DeadLetter(k.ctx, d.At); err != nil || one.Detail != d.Detail {
			t.Errorf("letter %s alone: %+v %v", d.At, one, err)
		}
	}
	none := events.Position{Topic: events.DeadLetterTopic(topic), Offset: 2}
	if _, err := k.adm.DeadLetter(k.ctx, none); !errors.Is(err, kafka.ErrNoDeadLetter) {
		t.Errorf("a letter behind the last: %v", err)
	}
}

func sameHeader(a, b events.RecordHeader) bool {
	return a.Key == b.Key && string(a.Value) == string(b.Value) && (a.Value == nil) == (b.Value == nil)
}

func replaySendsOnce(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	topic := k.topic("t", 3)
	if got := k.replay(kafka.ReplayConfig{Topic: topic}); got != (kafka.Replayed{}) {
		t.Errorf("before any letter: %+v", got)
	}
	k.bury(topic, "a", "b", "c", "d")
	k.produce(&kgo.Record{Topic: topic, Partition: 0, Headers: []kgo.RecordHeader{{Key: "h", Value: nil}, {Key: "h", Value: []byte{}}}})
	stop := k.run(k.consumer(kafka.ConsumerConfig{Topics: []string{topic}, Handler: &seen{}}).Run)
	k.eventually("what is no event is buried", func() bool { return len(k.letters(topic)) == 5 })
	stop()
	before := k.whole(topic)
	if got := k.replay(kafka.ReplayConfig{Topic: topic, DryRun: true}); got.Sent != 5 || len(k.whole(topic)) != 5 {
		t.Errorf("dry run: %+v", got)
	}
	var told []string
	got := k.replay(kafka.ReplayConfig{Topic: topic, Each: func(d kafka.DeadLetter) { told = append(told, d.At.String()) }})
	if got != (kafka.Replayed{Sent: 5}) || len(told) != 5 {
		t.Errorf("%+v, told of %v", got, told)
	}
	for range 2 {
		if got := k.replay(kafka.ReplayConfig{Topic: topic}); got != (kafka.Replayed{Before: 5}) {
			t.Errorf("repeated: %+v", got)
		}
	}
	var again, first []string
	for _, r := range k.whole(topic) {
		i := slices.IndexFunc(r.Headers, func(h events.RecordHeader) bool { return h.Key == "sb_dlq_replayed" })
		if i < 0 {
			first = append(first, fmt.Sprintf("%q %q %v", r.Key, r.Value, r.Headers))
			continue
		}
		if (r.Key == nil) != (r.Value == nil) || !slices.Contains(told, string(r.Headers[i].Value)) {
			t.Errorf("replayed %+v", r)
		}
		again = append(again, fmt.Sprintf("%q %q %v", r.Key, r.Value, r.Headers[:i]))
	}
	if len(first) != len(before) || !slices.Equal(first, again) { // by partition: each is where it was, in order
		t.Errorf("replayed\n%q, want\n%q", again, first)
	}
	for _, d := range k.letters(topic) {
		if !d.Replayed {
			t.Errorf("letter %s is not known to be replayed", d.At)
		}
	}
}

func replayFilters(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	topic, other := k.topic("t", 1), k.topic("other", 2)
	k.bury(topic, "a", "b", "a", "b", "c")
	list := k.letters(topic)
	steps := []struct {
		cfg  kafka.ReplayConfig
		want kafka.Replayed
		sent []string
	}{
		{kafka.ReplayConfig{Filter: kafka.LetterFilter{Reason: "a"}, Limit: 1}, kafka.Replayed{Sent: 1, Left: 1}, []string{"a-0"}},
		{kafka.ReplayConfig{Filter: kafka.LetterFilter{Stage: "nobody"}}, kafka.Replayed{}, nil},
		{kafka.ReplayConfig{Filter: kafka.LetterFilter{Until: list[0].Buried}}, kafka.Replayed{}, nil},
		{kafka.ReplayConfig{Filter: kafka.LetterFilter{Since: list[4].Buried.Add(time.Hour)}}, kafka.Replayed{}, nil},
		{kafka.ReplayConfig{Filter: kafka.LetterFilter{Since: list[0].Buried, Reason: "b"}, Rate: 20}, kafka.Replayed{Sent: 2}, []string{"b-1", "b-3"}},
		{kafka.ReplayConfig{Filter: kafka.LetterFilter{Stage: "judge"}}, kafka.Replayed{Sent: 2, Before: 3}, []string{"a-2", "c-4"}},
		{kafka.ReplayConfig{}, kafka.Replayed{Before: 5}, nil},
	}
	n := len(k.whole(topic))
	for i, s := range steps {
		s.cfg.Topic = topic
		if got := k.replay(s.cfg); got != s.want {
			t.Errorf("step %d: %+v, want %+v", i, got, s.want)
		}
		now := k.whole(topic)
		if got := ids(t, now, n); !slices.Equal(got, s.sent) {
			t.Errorf("step %d sent %v, want %v", i, got, s.sent)
		}
		n = len(now)
	}
	for _, want := range []kafka.Replayed{{Sent: 5}, {Before: 5}} {
		if got := k.replay(kafka.ReplayConfig{Topic: topic, To: other}); got != want {
			t.Errorf("another target: %+v, want %+v", got, want)
		}
	}
	if a, b := len(k.whole(topic)), len(k.whole(other)); a != n || b != 5 {
		t.Errorf("%d in the topic, %d in the other", a, b)
	}
	if _, err := kafka.Replay(k.ctx, kafka.ReplayConfig{Config: k.cfg, Topic: topic, To: k.name("missing")}); !errors.Is(err, events.ErrNoTopic) {
		t.Errorf("no target: %v", err)
	}
}

// repeatedLetters: the group is set back, as after a commit that was lost, and the consumer buries all of it again.
func repeatedLetters(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	topic := k.topic("t", 1)
	k.bury(topic, "a", "b")
	h := &seen{fail: func(ev events.Event, _ int) error { return events.Permanent(ev.Subject(), errors.New("again")) }}
	again := func(group, stage string, want int) {
		stop := k.run(k.consumer(kafka.ConsumerConfig{Topics: []string{topic}, Handler: h, Group: k.name(group), Stage: stage}).Run)
		k.eventually("all is buried again", func() bool { return len(k.letters(topic)) == want })
		stop()
	}
	again("second", "judge", 4)
	if got := k.replay(kafka.ReplayConfig{Topic: topic}); got != (kafka.Replayed{Sent: 2, Repeated: 2}) {
		t.Errorf("two letters of each: %+v", got)
	}
	again("third", "judge", 8) // the two that were replayed fail, too
	if got := k.replay(kafka.ReplayConfig{Topic: topic}); got != (kafka.Replayed{Sent: 2, Before: 6}) {
		t.Errorf("another letter of what was replayed: %+v", got)
	}
	again("fourth", "another", 14)
	if got := k.replay(kafka.ReplayConfig{Topic: topic, Filter: kafka.LetterFilter{Stage: "another"}}); got != (kafka.Replayed{Sent: 6}) {
		t.Errorf("letters of another consumer: %+v", got)
	}
}

func failsAgain(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	topic := k.topic("t", 1)
	k.bury(topic, "a")
	for round := 1; round <= 3; round++ {
		list := k.letters(topic)
		if len(list) != round {
			t.Fatalf("round %d: %d letters", round, len(list))
		}
		d := list[round-1]
		if d.Attempt != round || d.Origin.Offset < int64(round-1) || !d.FirstFailed.Equal(list[0].FirstFailed) || round > 1 && d.Before != list[round-2].At.String() {
			t.Errorf("round %d: %+v", round, d)
		}
		if got := k.replay(kafka.ReplayConfig{Topic: topic}); got != (kafka.Replayed{Sent: 1, Before: int64(round - 1)}) {
			t.Errorf("round %d: %+v", round, got)
		}
		k.bury(topic)
		h := &seen{fail: func(events.Event, int) error { return events.Permanent("a", errors.New("still")) }}
		stop := k.run(k.consumer(kafka.ConsumerConfig{Topics: []string{topic}, Handler: h, Stage: "judge"}).Run)
		k.eventually("it is buried again", func() bool { return len(k.letters(topic)) == round+1 })
		stop()
	}
	h := &seen{}
	k.replay(kafka.ReplayConfig{Topic: topic})
	k.run(k.consumer(kafka.ConsumerConfig{Topics: []string{topic}, Handler: h}).Run)
	k.eventually("the mended consumer handles it", func() bool { return slices.Equal(h.all(), []string{"a-0"}) })
}

// forgedLetters: a record may have any header before it is buried, and anything may be written to a dead letter topic.
func forgedLetters(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	topic, victim := k.topic("t", 1), k.topic("victim", 1)
	forged := []kgo.RecordHeader{{Key: "sb_dlq_topic", Value: []byte(victim)}, {Key: "sb_dlq_mark", Value: []byte("judge x/0/0")}, {Key: "sb_dlq_mark_to", Value: []byte(topic)}, {Key: "kept", Value: []byte("1")}}
	k.produce(&kgo.Record{Topic: topic, Value: []byte("v"), Headers: forged})
	stop := k.run(k.consumer(kafka.ConsumerConfig{Topics: []string{topic}, Handler: &seen{}}).Run)
	k.eventually("it is buried", func() bool { return len(k.lettersOrNone(topic)) == 1 })
	stop()
	dead := events.DeadLetterTopic(topic)
	k.produce(
		&kgo.Record{Topic: dead, Value: []byte("not ours")},
		&kgo.Record{Topic: dead, Headers: append(forged[:1:1], kgo.RecordHeader{Key: "sb_dlq_reason", Value: []byte("r")},
			kgo.RecordHeader{Key: "sb_dlq_partition", Value: []byte("0")}, kgo.RecordHeader{Key: "sb_dlq_offset", Value: []byte("0")})},
	)
	if got := k.replay(kafka.ReplayConfig{Topic: topic}); got != (kafka.Replayed{Sent: 1}) {
		t.Errorf("%+v", got)
	}
	if n := len(k.whole(victim)); n != 0 {
		t.Errorf("%d records in a topic that nobody named", n)
	}
	again := k.whole(topic)
	if len(again) != 2 || len(again[1].Headers) != 4 || again[1].Headers[0].Key != "kept" {
		t.Errorf("replayed %+v", again)
	}
}
