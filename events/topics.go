package events

import "strings"

// Every lifecycle type starts with this; everything else is an application event.
const lifecyclePrefix = "dev.signalbox."

// Lifecycle topics. Each is archived like any topic.
const (
	TopicArchive     = "signalbox.archive"
	TopicDatasets    = "signalbox.datasets"
	TopicRuns        = "signalbox.runs"
	TopicSweeps      = "signalbox.sweeps"
	TopicPackages    = "signalbox.packages"
	TopicEvaluations = "signalbox.evaluations"
	TopicTags        = "signalbox.tags" // compacted; key = <model>/<tag>
	TopicPredictions = "signalbox.predictions"
	TopicAudit       = "signalbox.audit"
)

// TopicSpec is how a topic must be created.
type TopicSpec struct {
	Name       string
	Partitions int32
	Compacted  bool
}

// LifecycleTopics lists every topic that a deployment needs before any stream is declared.
func LifecycleTopics() []TopicSpec {
	return []TopicSpec{
		{Name: TopicArchive, Partitions: 1},
		{Name: TopicDatasets, Partitions: 1},
		{Name: TopicRuns, Partitions: 1},
		{Name: TopicSweeps, Partitions: 1},
		{Name: TopicPackages, Partitions: 1},
		{Name: TopicEvaluations, Partitions: 1},
		{Name: TopicTags, Partitions: 1, Compacted: true},
		{Name: TopicPredictions, Partitions: 2},
		{Name: TopicAudit, Partitions: 1},
	}
}

// TopicOf returns the topic of a lifecycle type, and false for an application event.
func TopicOf(typ string) (string, bool) {
	rest, ok := strings.CutPrefix(typ, lifecyclePrefix)
	if !ok {
		return "", false
	}
	noun, _, _ := strings.Cut(rest, ".")
	switch noun {
	case "archive":
		return TopicArchive, true
	case "dataset":
		return TopicDatasets, true
	case "run":
		return TopicRuns, true
	case "sweep":
		return TopicSweeps, true
	case "package":
		return TopicPackages, true
	case "evaluation":
		return TopicEvaluations, true
	case "tag":
		return TopicTags, true
	case "prediction":
		return TopicPredictions, true
	case "audit":
		return TopicAudit, true
	}
	return "", false
}

// IsLifecycle reports whether typ is reserved for Signalbox itself.
func IsLifecycle(typ string) bool { return strings.HasPrefix(typ, lifecyclePrefix) }

// StreamTopic is the topic of an application stream.
func StreamTopic(stream string) string { return "events." + stream }

// DeadLetterTopic is where what topic's consumers cannot handle goes.
func DeadLetterTopic(topic string) string { return topic + ".dlq" }

// StreamOf returns what the archive calls a topic: the stream's name for application topics, the topic itself otherwise.
func StreamOf(topic string) string {
	if s, ok := strings.CutPrefix(topic, "events."); ok {
		return s
	}
	return topic
}

// ArchivedTopics is the pattern of every topic that the archiver follows.
const ArchivedTopics = `^(events|signalbox)\..+$`

// Patterns of the topics of streams, which match those of their dead letters, too, and of all dead letters.
const (
	StreamTopics     = `^events\..+$`
	DeadLetterTopics = `\.dlq$`
)
