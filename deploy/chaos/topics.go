package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// identify learns the ids of topics that come for the first time.
func (t *tail) identify(ctx context.Context, fetches kgo.Fetches) {
	fetches.EachTopic(func(f kgo.FetchTopic) {
		t.mu.Lock()
		id := t.topics[f.Topic]
		t.mu.Unlock()
		_ = until(ctx, 50*time.Millisecond, func() (bool, error) { // only ctx ends it
			if id == "" {
				id, _ = t.topicID(ctx, f.Topic)
			}
			return id != "", nil
		})
		t.mu.Lock()
		defer t.mu.Unlock()
		if !t.deleted[id] {
			t.topics[f.Topic] = id
		}
	})
}

// topicID asks for the id of a topic's present life, 32 hexadecimal digits.
func (t *tail) topicID(ctx context.Context, topic string) (string, error) {
	topics, err := kadm.NewClient(t.client).ListTopics(ctx, topic)
	if err != nil {
		return "", err
	}
	d := topics[topic]
	if d.Err != nil {
		return "", d.Err
	}
	return hex.EncodeToString(d.ID[:]), nil
}

// known says whether Kafka has or had a topic of that id.
func (t *tail) known(ctx context.Context, id string) (bool, error) {
	t.mu.Lock()
	was := t.deleted[id]
	t.mu.Unlock()
	if was {
		return true, nil
	}
	topics, err := kadm.NewClient(t.client).ListTopics(ctx)
	if err != nil {
		return false, err
	}
	for _, d := range topics {
		if hex.EncodeToString(d.ID[:]) == id {
			return true, nil
		}
	}
	return false, nil
}

// ends lists where the committed records of every archived topic end now, or of one topic.
func (t *tail) ends(ctx context.Context, only string) (map[logPartition]int64, error) {
	adm := kadm.NewClient(t.client)
	topics, err := adm.ListTopics(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, name := range topics.Names() {
		if only == name || only == "" && (strings.HasPrefix(name, "events.") || strings.HasPrefix(name, "signalbox.")) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, errors.New("no topics yet")
	}
	listed, err := adm.ListCommittedOffsets(ctx, names...)
	if err != nil {
		return nil, err
	}
	ends := map[logPartition]int64{}
	listed.Each(func(o kadm.ListedOffset) {
		id := topics[o.Topic].ID
		ends[logPartition{hex.EncodeToString(id[:]), o.Topic, o.Partition}] = o.Offset
		err = errors.Join(err, o.Err)
	})
	return ends, err
}

// reach waits until everything was read that is committed now, in every topic or in one.
func (t *tail) reach(ctx context.Context, only string) error {
	ends, err := t.ends(ctx, only)
	if err != nil {
		return err
	}
	for {
		t.mu.Lock()
		behind, changed := "", t.changed
		for p, end := range ends {
			if t.next[p] < end && !t.deleted[p.topicID] {
				behind = fmt.Sprintf("%s is read to %d of %d", p, t.next[p], end)
			}
		}
		t.mu.Unlock()
		if behind == "" {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", behind, ctx.Err())
		}
	}
}

// over notes that a topic was deleted, and reads what is made in its place from the beginning.
func (t *tail) over(topic, id string) {
	t.mu.Lock()
	t.deleted[id] = true
	delete(t.topics, topic)
	t.mu.Unlock()
	t.client.PurgeTopicsFromConsuming(topic)
}

// remake deletes the topic of the direct producer and makes it again. Its producer pauses, so that each event is known to
// be of one life; what was acknowledged and not archived is lost to the deletion, which nobody promised to prevent.
func (s *stage) remake(ctx context.Context, d *directProducer) (hit bool, err error) {
	spec := directTopics()[0]
	d.pause()
	id := d.topicID
	defer func() { d.resume(id) }()
	bound, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	t := s.checker.tail
	old, err := t.topicID(bound, spec.Name)
	if err != nil || t.reach(bound, spec.Name) != nil {
		return false, nil // a broker that cannot be asked: the fault did not hit
	}
	// From here on there is no way back.
	bound, cancel = context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	if _, err := kadm.NewClient(t.client).DeleteTopic(bound, spec.Name); err != nil {
		return false, fmt.Errorf("delete %s: %w", spec.Name, err)
	}
	t.over(spec.Name, old)
	err = until(bound, 100*time.Millisecond, func() (bool, error) {
		if err := s.topics(bound); err != nil {
			return false, nil //nolint:nilerr // the name may be taken for a moment longer
		}
		now, err := t.topicID(bound, spec.Name)
		made := err == nil && now != old
		if made {
			id = now
		}
		return made, nil
	})
	if err != nil {
		return false, fmt.Errorf("make %s again: %w", spec.Name, err)
	}
	return true, nil
}
