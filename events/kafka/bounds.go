package kafka

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/signalbox-ml/signalbox/events"
)

// Bounds returns where the log of each partition begins and ends, of every topic whose name matches pattern.
func (a *Admin) Bounds(ctx context.Context, pattern string) (map[events.TopicPartition]events.Bounds, error) {
	match, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("bounds of topics: %w", err)
	}
	details, err := a.adm.ListTopics(ctx)
	if err != nil {
		return nil, fmt.Errorf("bounds of topics: %w", a.cfg.explain(err))
	}
	var names []string
	for name, d := range details {
		if match.MatchString(name) && !errors.Is(d.Err, kerr.UnknownTopicOrPartition) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, nil // kadm would list every topic
	}
	starts, err1 := a.adm.ListStartOffsets(ctx, names...)
	ends, err2 := a.adm.ListEndOffsets(ctx, names...)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("bounds of topics: %w", err)
	}
	out := map[events.TopicPartition]events.Bounds{}
	for _, name := range names {
		for p, end := range ends[name] {
			start, _ := starts.Lookup(name, p)
			if err := errors.Join(start.Err, end.Err); errors.Is(err, kerr.UnknownTopicOrPartition) {
				continue // deleted meanwhile
			} else if err != nil {
				return nil, fmt.Errorf("bounds of %s/%d: %w", name, p, err)
			}
			tp := events.TopicPartition{TopicID: details[name].ID, Topic: name, Partition: p}
			out[tp] = events.Bounds{Start: start.Offset, End: end.Offset}
		}
	}
	return out, partitionFaults(details, names)
}

// partitionFaults keeps a partition without a leader from looking like one that does not exist.
func partitionFaults(details kadm.TopicDetails, names []string) error {
	var faults []error
	for _, name := range names {
		if d := details[name]; d.Err != nil {
			faults = append(faults, fmt.Errorf("bounds of %s: %w", name, d.Err))
		}
	}
	return errors.Join(faults...)
}
