package kafkatest

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
)

// crew is taps of one group whose sinks share positions, as archivers share a ledger: each starts where another ended.
type crew struct {
	k       *kit
	topic   string
	p       *kafka.Producer
	written []int // by partition

	mu    sync.Mutex
	sinks []*tank
}

func newCrew(k *kit, topic string, partitions int) *crew {
	return &crew{k: k, topic: topic, p: k.producer(kafka.ProducerConfig{}), written: make([]int, partitions)}
}

// key names a partition as tanks do.
func (c *crew) key(partition int) string { return fmt.Sprintf("%s/%d", c.topic, partition) }

// join adds a tap.
func (c *crew) join() (tap *kafka.Tap, sink *tank, leave func()) {
	sink = newTank()
	sink.start = func(tp events.TopicPartition) (int64, error) { return int64(len(c.held(tp.String()))), nil }
	c.mu.Lock()
	c.sinks = append(c.sinks, sink)
	c.mu.Unlock()
	tap, leave = c.k.tap(sink)
	return tap, sink, leave
}

// held returns the offsets that all sinks together have of a partition, sorted.
func (c *crew) held(key string) []int64 {
	c.mu.Lock()
	sinks := slices.Clone(c.sinks)
	c.mu.Unlock()
	var got []int64
	for _, s := range sinks {
		got = append(got, s.offsets(key)...)
	}
	slices.Sort(got)
	return got
}

// wave writes to every partition and waits until the taps have taken each record once.
func (c *crew) wave(what string) {
	c.k.t.Helper()
	for i := range 10 * len(c.written) {
		out := c.p.Append(c.k.ctx, c.topic, []events.Event{c.k.event(fmt.Sprint(i), "x")})[0]
		if out.Err != nil {
			c.k.t.Fatal(out.Err)
		}
		c.written[out.Position.Partition]++
	}
	c.k.eventually(what, func() bool {
		for i, n := range c.written {
			if !slices.Equal(c.held(c.key(i)), upTo(0, int64(n))) {
				return false
			}
		}
		return true
	})
}

// waveUntil is waves until cond.
func (c *crew) waveUntil(what string, cond func() bool) {
	c.k.t.Helper()
	c.k.eventually(what, func() bool {
		c.wave(what + ": each record is taken once")
		return cond()
	})
}

func tapsHandOver(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	c := newCrew(k, k.topic("t", 3), 3)
	_, _, stop := c.join()
	c.wave("one tap takes all")
	_, second, _ := c.join()
	c.waveUntil("the second tap has a share", func() bool { return second.look(func(s *tank) bool { return len(s.ids) > 0 }) })
	stop()
	c.wave("the tap that is left takes all")
}

// tapsComeAndGo: three members join and leave while records arrive. A partition has one owner that may commit.
func tapsComeAndGo(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	const partitions = 6
	c := newCrew(k, k.topic("t", partitions), partitions)
	type member struct {
		tap   *kafka.Tap
		sink  *tank
		leave func()
	}
	var members []member
	join := func() {
		tap, sink, leave := c.join()
		members = append(members, member{tap, sink, leave})
	}
	// owners: a commit is only taken from the owner.
	owners := func() map[string][]int {
		out := map[string][]int{}
		for i, m := range members {
			for p := range partitions {
				tp := m.sink.partition(c.key(p))
				if tp.Topic != "" && m.tap.Commit(k.ctx, tp, int64(c.written[p])) == nil {
					out[tp.String()] = append(out[tp.String()], i)
				}
			}
		}
		return out
	}
	settled := func(want int) func() bool {
		return func() bool {
			own, sharing := owners(), map[int]bool{}
			for _, list := range own {
				if len(list) > 1 {
					return false // it changed hands in between
				}
				sharing[list[0]] = true
			}
			return len(own) == partitions && len(sharing) == want
		}
	}
	join()
	c.wave("one tap takes all")
	join()
	join()
	c.waveUntil("three taps share", settled(3))
	members[0].leave()
	c.waveUntil("the two that are left share", settled(2))
	join()
	c.waveUntil("three taps share again", settled(3))
	members[1].leave()
	members[2].leave()
	c.waveUntil("the last one takes all", settled(1))
	for i, m := range members {
		if m.sink.look(func(s *tank) bool { return s.overlap }) {
			t.Errorf("tap %d has called its sink twice at a time", i)
		}
	}
}
