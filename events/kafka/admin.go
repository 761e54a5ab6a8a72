package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/events"
)

// ErrTimestampType marks a topic whose records carry the producers' time: the archive cannot tell what is complete.
var ErrTimestampType = errors.New("message.timestamp.type is not LogAppendTime: change it, and expect wrong times before the change")

// Record sizes. An event may have 1 MiB; its record is larger by headers and key, its dead letter by the reason.
const (
	topicMaxBytes      = 2 << 20
	deadLetterMaxBytes = topicMaxBytes + 64<<10
)

// AdminConfig configures an Admin.
type AdminConfig struct {
	Config
	// ReplicationFactor of topics that are made; 0 means the broker's default.
	ReplicationFactor int16
}

// Admin makes topics and says where they end.
type Admin struct {
	cfg AdminConfig
	cl  *kgo.Client
	adm *kadm.Client
}

// NewAdmin returns an Admin; Close it.
func NewAdmin(cfg AdminConfig) (*Admin, error) {
	cfg.Config = cfg.Config.withDefaults()
	if err := cfg.Config.validate(); err != nil {
		return nil, err
	}
	cl, err := cfg.open()
	if err != nil {
		return nil, err
	}
	return &Admin{cfg: cfg, cl: cl, adm: kadm.NewClient(cl)}, nil
}

// Close ends the connections.
func (a *Admin) Close() { a.cl.Close() }

// Ping asks any broker whether it is there, and whether it takes this program. Errors that wrap ErrSecurity do not go away
// by waiting; they say what to do.
func (a *Admin) Ping(ctx context.Context) error {
	if err := a.cfg.explain(a.cl.Ping(ctx)); err != nil {
		return fmt.Errorf("kafka %v: %w", a.cfg.Brokers, err)
	}
	return nil
}

// EnsureTopics makes the topics that are missing. Topics that exist are left as they are; one whose timestamps are not
// LogAppendTime is reported by ErrTimestampType, after all others were made.
func (a *Admin) EnsureTopics(ctx context.Context, specs []events.TopicSpec) error {
	var faults []error
	names := make([]string, 0, len(specs))
	for _, s := range specs {
		names = append(names, s.Name)
		if err := ensure(ctx, a.adm, a.cfg.ReplicationFactor, s, topicMaxBytes); err != nil {
			faults = append(faults, err)
		}
	}
	if len(faults) == 0 && len(names) > 0 {
		faults = append(faults, a.checkTimestamps(ctx, names))
	}
	return errors.Join(faults...)
}

// visibleWait bounds how long a topic that was just made may be unknown: brokers learn of it one after the other.
const visibleWait = 15 * time.Second

func (a *Admin) checkTimestamps(ctx context.Context, names []string) error {
	ctx, cancel := context.WithTimeout(ctx, visibleWait)
	defer cancel()
	again := time.NewTicker(metadataMinAge / 5)
	defer again.Stop()
	for {
		err := a.timestampFaults(ctx, names)
		if !errors.Is(err, kerr.UnknownTopicOrPartition) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-again.C:
		}
	}
}

func (a *Admin) timestampFaults(ctx context.Context, names []string) error {
	configs, err := a.adm.DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return fmt.Errorf("topic settings: %w", err)
	}
	var faults []error
	for _, rc := range configs {
		if rc.Err != nil {
			faults = append(faults, fmt.Errorf("settings of topic %s: %w", rc.Name, rc.Err))
			continue
		}
		for _, c := range rc.Configs {
			if c.Key == timestampType && c.MaybeValue() != logAppendTime {
				faults = append(faults, fmt.Errorf("topic %s: %w", rc.Name, ErrTimestampType))
			}
		}
	}
	return errors.Join(faults...)
}

const (
	timestampType = "message.timestamp.type"
	logAppendTime = "LogAppendTime"
)

// ensure makes one topic unless it exists.
func ensure(ctx context.Context, adm *kadm.Client, replication int16, s events.TopicSpec, maxBytes int) error {
	if replication == 0 {
		replication = -1
	}
	configs := map[string]*string{
		timestampType:       kadm.StringPtr(logAppendTime),
		"max.message.bytes": kadm.StringPtr(strconv.Itoa(maxBytes)),
	}
	if s.Compacted {
		// Small segments and a low dirty ratio: readers from the start see little more than the newest of each key.
		configs["cleanup.policy"] = kadm.StringPtr("compact")
		configs["segment.bytes"] = kadm.StringPtr(strconv.Itoa(16 << 20))
		configs["segment.ms"] = kadm.StringPtr("3600000")
		configs["min.cleanable.dirty.ratio"] = kadm.StringPtr("0.1")
	}
	_, err := adm.CreateTopic(ctx, s.Partitions, replication, configs, s.Name)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("create topic %s: %w", s.Name, err)
	}
	return nil
}

// TopicIDs returns the id of each topic that exists.
func (a *Admin) TopicIDs(ctx context.Context, topics ...string) (map[string][16]byte, error) {
	return topicIDs(ctx, a.adm, topics)
}

func topicIDs(ctx context.Context, adm *kadm.Client, topics []string) (map[string][16]byte, error) {
	if len(topics) == 0 {
		return nil, nil // kadm would list every topic
	}
	details, err := adm.ListTopics(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("topic ids: %w", err)
	}
	out := make(map[string][16]byte, len(details))
	for name, d := range details {
		switch {
		case d.Err == nil:
			out[name] = d.ID
		case !errors.Is(d.Err, kerr.UnknownTopicOrPartition):
			return nil, fmt.Errorf("id of topic %s: %w", name, d.Err)
		}
	}
	return out, nil
}

// EndOffsets returns the end (high watermark) of every partition of topics.
func (a *Admin) EndOffsets(ctx context.Context, topics ...string) (map[events.TopicPartition]int64, error) {
	ids, err := a.TopicIDs(ctx, topics...)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	ends, err := a.adm.ListEndOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("end offsets: %w", err)
	}
	out := map[events.TopicPartition]int64{}
	for topic, parts := range ends {
		for p, o := range parts {
			if o.Err != nil {
				return nil, fmt.Errorf("end of %s/%d: %w", topic, p, o.Err)
			}
			out[events.TopicPartition{TopicID: ids[topic], Topic: topic, Partition: p}] = o.Offset
		}
	}
	return out, nil
}
