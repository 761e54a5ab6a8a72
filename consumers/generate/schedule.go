package generate

import (
	"time"

	"github.com/signalbox-ml/signalbox/consumers/generate/compile"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// topicOf is the topic that a source's events travel on.
func topicOf(s spec.Source) string {
	if topic, ok := events.TopicOf(s.Type); ok {
		return topic
	}
	return events.StreamTopic(s.Stream)
}

// topics returns the topics of the sources that d uses.
func topics(d spec.Dataset) map[string]bool {
	out := map[string]bool{}
	for source := range compile.Reach(d, compile.Window{}) {
		out[topicOf(d.Sources[source])] = true
	}
	return out
}

// position is how far one partition is archived.
type position struct {
	through time.Time // broker time up to which it is complete; goes on while nothing comes
	flushed time.Time // the same when its newest file was made: no archived record was appended after it
	event   time.Time // greatest availability that is archived; zero without any
}

// complete is the broker time up to which all partitions are archived; zero where that is unknown.
func complete(partitions []position) time.Time {
	var least time.Time
	for i, p := range partitions {
		if i == 0 || p.through.Before(least) {
			least = p.through
		}
	}
	return least
}

// watermark is the availability up to which a topic is archived, on the clock that producers write; zero where that is
// unknown. A partition's greatest availability counts once every partition is complete up to where that one ends: what
// was available before it was appended before it, so it is archived, whichever partition it is in. Lateness is for
// producers that publish out of order.
//
// To take the greatest availability of all partitions would be wrong: one may run weeks ahead in a replay while the
// events of another lie in the archiver's buffer. To take the least would wait for ever on a partition without events.
func watermark(partitions []position) time.Time {
	through := complete(partitions)
	var mark time.Time
	for _, p := range partitions {
		if !p.flushed.After(through) && p.event.After(mark) {
			mark = p.event
		}
	}
	return mark
}

// due returns how many windows of d have settled: those whose horizon is not after the watermark.
func due(d spec.Dataset, watermark time.Time) int64 {
	settled := watermark.Add(-d.Window.Lateness.D()).Add(-d.Label.Maturity.D())
	if watermark.IsZero() || settled.Before(d.Window.Start) {
		return 0
	}
	return int64(settled.Sub(d.Window.Start) / d.Window.Every.D())
}

// window returns window k of d, from 1.
func window(d spec.Dataset, k int64) compile.Window {
	return endingAt(d, d.Window.Start.Add(time.Duration(k)*d.Window.Every.D()))
}

// endingAt returns the window of d with that end.
func endingAt(d spec.Dataset, end time.Time) compile.Window {
	w := compile.Window{Start: d.Window.Start.UTC(), End: end.UTC()}
	if from := end.Add(-d.Window.Length.D()); d.Window.Length > 0 && from.After(w.Start) {
		w.Start = from.UTC()
	}
	return w
}
