package events

import "testing"

func TestTopicPartitionNamesItself(t *testing.T) {
	tp := TopicPartition{TopicID: [16]byte{0xab, 15: 1}, Topic: "events.flights", Partition: 3}
	if tp.String() != "events.flights/3" || tp.ID() != "ab000000000000000000000000000001" {
		t.Errorf("%s %s", tp, tp.ID())
	}
	if p := (Position{Topic: "t", Partition: 1, Offset: 9}); p.String() != "t/1/9" {
		t.Errorf("%s", p)
	}
}
