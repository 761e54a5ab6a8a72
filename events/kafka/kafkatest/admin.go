package kafkatest

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
)

func adminCases() []Case {
	return []Case{
		{"topics are made once", topicsAreMade},
		{"a wrong timestamp type is reported", wrongTimestampIsReported},
	}
}

func topicsAreMade(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	plain, compacted := k.name("plain"), k.name("compacted")
	for range 2 {
		k.ensure(events.TopicSpec{Name: plain, Partitions: 3}, events.TopicSpec{Name: compacted, Partitions: 1, Compacted: true})
	}
	if err := k.adm.Ping(k.ctx); err != nil {
		t.Error(err)
	}
	ids, err := k.adm.TopicIDs(k.ctx, plain, compacted, k.name("missing"))
	if err != nil || len(ids) != 2 || ids[plain] == ids[compacted] {
		t.Errorf("ids %x %v", ids, err)
	}
	k.produce(&kgo.Record{Topic: compacted, Key: []byte("k"), Value: []byte("v")})
	ends, err := k.adm.EndOffsets(k.ctx, plain, compacted)
	if err != nil || len(ends) != 4 || ends[events.TopicPartition{TopicID: ids[compacted], Topic: compacted}] != 1 {
		t.Errorf("ends %v %v", ends, err)
	}
	for topic, want := range map[string]string{plain: "delete", compacted: "compact"} {
		configs, err := kadm.NewClient(k.raw).DescribeTopicConfigs(k.ctx, topic)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, c := range configs[0].Configs {
			got[c.Key] = c.MaybeValue()
		}
		if got["cleanup.policy"] != want || got["message.timestamp.type"] != "LogAppendTime" {
			t.Errorf("%s: %s %s", topic, got["cleanup.policy"], got["message.timestamp.type"])
		}
	}
}

func wrongTimestampIsReported(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	wrong, fresh := k.name("wrong"), k.name("fresh")
	if _, err := kadm.NewClient(k.raw).CreateTopic(k.ctx, 1, -1, nil, wrong); err != nil {
		t.Fatal(err)
	}
	err := k.adm.EnsureTopics(k.ctx, []events.TopicSpec{{Name: wrong, Partitions: 1}, {Name: fresh, Partitions: 1}})
	if !errors.Is(err, kafka.ErrTimestampType) {
		t.Errorf("got %v", err)
	}
	if ids, err := k.adm.TopicIDs(k.ctx, fresh); err != nil || len(ids) != 1 {
		t.Errorf("the other topic: %v %v", ids, err)
	}
}
