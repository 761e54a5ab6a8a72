package kafka

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox-ml/signalbox/events"
)

// Headers of the records that a replay writes: one on what it sends again, the others on the mark that it leaves in the
// dead letter topic, in the letter's own partition. A mark lives as long as its letter: retention takes the older first.
const (
	deadReplayed = deadPrefix + "replayed" // the letter that was sent again
	deadMark     = deadPrefix + "mark"     // name of the letter that is done
	deadMarkTo   = deadPrefix + "mark_to"  // the topic that it was sent to
)

// DeadLetter is one record of a dead letter topic, taken apart.
type DeadLetter struct {
	At     events.Position // of the letter
	Buried time.Time       // when it was written
	// Reason is a short, stable word, Detail the error, Stage the consumer that gave up. Schema and Version are empty where
	// they are not known.
	Reason, Detail, Stage, Schema, Version string
	// Attempt counts what was tried, with what was tried before replays.
	Attempt     int
	FirstFailed time.Time
	// Origin is where the record stood, and since when; OriginID is the id of that topic in hexadecimal digits.
	Origin   events.Place
	OriginID string
	// Before is the letter whose replay the record was, as topic/partition/offset; empty for a record that was none.
	Before string
	// Replayed says that a replay has sent the letter where it came from.
	Replayed bool
	// Key, Value and Headers are those of the record.
	Key, Value []byte
	Headers    []events.RecordHeader
}

// name is the same for every letter about one failure: a consumer that is cut off may write the letter twice.
func (d DeadLetter) name() string {
	id := d.OriginID
	if id == "" {
		id = d.Origin.Topic
	}
	return d.Stage + " " + id + "/" + strconv.Itoa(int(d.Origin.Partition)) + "/" + strconv.FormatInt(d.Origin.Offset, 10)
}

// parseDeadLetter reads a record of a dead letter topic. It reports false for one that no consumer of Signalbox wrote, and
// for marks.
func parseDeadLetter(tp events.TopicPartition, r events.Record) (DeadLetter, bool) {
	get := func(name string) string { return lastHeader(r.Headers, name) }
	d := DeadLetter{
		At: events.Position{Topic: tp.Topic, Partition: tp.Partition, Offset: r.Offset}, Buried: r.AppendTime,
		Reason: get(deadReason), Detail: get(deadDetail), Stage: get(deadStage), Schema: get(deadSchema), Version: get(deadVersion),
		OriginID: get(deadTopicID), Before: get(deadReplayed), Key: r.Key, Value: r.Value,
	}
	d.Origin.Topic = get(deadTopic)
	partition, err1 := strconv.ParseInt(get(deadPartition), 10, 32)
	offset, err2 := strconv.ParseInt(get(deadOffset), 10, 64)
	if d.Reason == "" || err1 != nil || err2 != nil || partition < 0 || offset < 0 || events.DeadLetterTopic(d.Origin.Topic) != tp.Topic {
		return DeadLetter{}, false
	}
	d.Origin.Partition, d.Origin.Offset = int32(partition), offset
	// What follows is for people: a letter without it is still one.
	d.Attempt, _ = strconv.Atoi(get(deadAttempt))
	d.Origin.AppendTime, _ = time.Parse(time.RFC3339Nano, get(deadTimestamp))
	d.FirstFailed, _ = time.Parse(time.RFC3339Nano, get(deadFirstFailed))
	d.Headers = slices.DeleteFunc(slices.Clone(r.Headers), func(h events.RecordHeader) bool { return strings.HasPrefix(h.Key, deadPrefix) })
	return d, true
}

// mark is what a replay left.
type mark struct{ name, to string }

// parseMark reports false for letters: the record that one is about may have had any header.
func parseMark(r events.Record) (mark, bool) {
	m := mark{name: lastHeader(r.Headers, deadMark), to: lastHeader(r.Headers, deadMarkTo)}
	return m, m.name != "" && lastHeader(r.Headers, deadReason) == ""
}
