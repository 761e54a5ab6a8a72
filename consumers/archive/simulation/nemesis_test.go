package simulation_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
)

// follow does what a plan says, and returns when all of it is over but spells and stops.
func (w *world) follow(plan []step) {
	begin := time.Now()
	var work sync.WaitGroup
	for _, s := range plan {
		wait(time.Until(begin.Add(s.at)))
		w.tally.plan(s.fault)
		work.Go(func() { w.strike(s) })
	}
	work.Wait()
}

// ambushes is where those faults wait that name a step.
func ambushes() map[fault]ambush {
	return map[fault]ambush{
		crashPut: {op: opFile}, crashStored: {op: opFile, after: true}, crashCommit: {op: opCommit}, crashCommitted: {op: opCommit, after: true},
		crashMirror: {op: opMirror}, crashMirrored: {op: opMirror, after: true}, crashSwapped: {op: opSwap, after: true},
		stopPut: {op: opFile}, stopCommit: {op: opCommit},
	}
}

func (w *world) strike(s step) {
	p := w.archivers[s.target]
	if s.fault == crashCompactor || s.fault == crashSwapped {
		p = w.compactor
	}
	l, c := p.now()
	rng := stream(w.seed, "strike", s.fault, s.n)
	a, waits := ambushes()[s.fault]
	switch {
	case waits && l != nil:
		a.fault = s.fault
		if s.fault == stopPut || s.fault == stopCommit {
			a.stop = s.length
		}
		l.await(a)
	case strings.HasPrefix(string(s.fault), "bucket:"), strings.HasPrefix(string(s.fault), "ledger:"):
		w.weather.turn(spell{p.name, s.fault}, s.share, s.length)
		w.weather.turn(spell{w.compactor.name, s.fault}, s.share/4, s.length)
	case strings.HasPrefix(string(s.fault), "log:"):
		w.strikeLog(s.fault, rng)
	case strings.HasPrefix(string(s.fault), "kafka:"):
		w.strikeKafka(s, c, rng)
	case l == nil: // between two lives
	case s.fault == crash, s.fault == crashCompactor:
		w.tally.hit(s.fault)
		l.die()
	case s.fault == stop:
		w.tally.hit(stop)
		l.gate.hold(s.length)
	case s.fault == restart:
		if p.stop() {
			w.tally.hit(restart)
		}
	}
}

func (w *world) strikeKafka(s step, c *cable, rng *rand.Rand) {
	switch s.fault {
	case kafkaCut:
		if c == nil {
			return
		}
		repair, broken := c.cut()
		w.tally.hits(kafkaCut, broken)
		wait(s.length)
		repair()
	case kafkaHeld:
		if c != nil {
			w.tally.hit(kafkaHeld)
			c.held.hold(s.length)
		}
	case kafkaMove:
		p := pick(rng, w.topics.partitions(topicFlights, topicWeather, topicPayments))
		if err := w.virtual.Cluster.MoveTopicPartition(p.topic, p.partition, rng.Int32N(brokers)); err != nil {
			w.breach("move %s: %v", p.topic, err)
		}
		w.tally.hit(kafkaMove)
	case kafkaRehash:
		w.virtual.Cluster.RehashCoordinators()
		w.tally.hit(kafkaRehash)
	default:
		h := w.virtual.Cluster.Fault(w.refusals(s.fault, rng))
		wait(s.length)
		w.tally.hits(s.fault, h.Hits())
		h.Remove()
	}
}

// refusals is what the broker answers for a while.
func (w *world) refusals(f fault, rng *rand.Rand) kfake.Fault {
	beat, errs := kmsg.Heartbeat, []*kerr.Error{kerr.RebalanceInProgress, kerr.UnknownMemberID, kerr.IllegalGeneration}
	if w.protocol == kafka.GroupConsumer {
		beat, errs = kmsg.ConsumerGroupHeartbeat, []*kerr.Error{kerr.UnknownMemberID, kerr.FencedMemberEpoch}
	}
	some := 1 + rng.IntN(6)
	switch f {
	case kafkaRebalance:
		return kfake.Fault{Keys: []kmsg.Key{beat}, TopLevel: true, Err: pick(rng, errs), Count: some}
	case kafkaCoordinator:
		return kfake.Fault{Keys: []kmsg.Key{beat}, TopLevel: true, Err: pick(rng, []*kerr.Error{kerr.NotCoordinator, kerr.CoordinatorNotAvailable}), Count: some}
	case kafkaCommit:
		return kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.RequestTimedOut, Count: some}
	}
	return kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.NotLeaderForPartition, Count: some * 3}
}

func (w *world) strikeLog(f fault, rng *rand.Rand) {
	switch f {
	case logRetention:
		w.retain(rng)
	case logCompaction:
		w.compact()
	case topicRemade:
		w.remake(rng)
	case topicDeleted:
		w.pass(rng)
	}
}

// retain has retention remove records while no archiver hears of them.
func (w *world) retain(rng *rand.Rand) {
	name := pick(rng, []string{topicFlights, topicWeather})
	for _, p := range w.archivers {
		if _, c := p.now(); c != nil {
			repair, _ := c.cut()
			defer repair()
		}
	}
	w.topics.lock(name)
	defer w.topics.unlock(name)
	partition := rng.Int32N(w.topics.sizes[name])
	w.topics.produce(w.topics.records(name, partition, rng, 10+rng.IntN(20))...)
	w.journal.read(name)
	p := w.topics.partitions(name)[partition]
	upTo := p.end - rng.Int64N(8)
	next := w.nextOf(p.place)
	if err := w.virtual.Cluster.DeleteRecords(name, partition, upTo); err != nil {
		w.breach("delete records: %v", err)
	}
	if n := w.journal.remove(p.place, next, logRetention, func(o int64) bool { return o < upTo && o >= p.start }); upTo > next && n > 0 {
		w.tally.hit(logRetention)
	}
	wait(between(rng, time.Second, 20*time.Second))
}

// compact has the broker compact its one compacted topic.
func (w *world) compact() {
	name := events.TopicTags
	w.topics.lock(name)
	defer w.topics.unlock(name)
	w.journal.read(name)
	p := w.topics.partitions(name)[0]
	if w.journal.of(p.place) == nil {
		return
	}
	next := w.nextOf(p.place)
	w.virtual.Cluster.Compact()
	left := map[int64]bool{}
	w.journal.consume(w.topics.partitions(name), nil, func(_ place, r *kgo.Record) { left[r.Offset] = true })
	if n := w.journal.remove(p.place, next, logCompaction, func(o int64) bool { return !left[o] }); n > 0 {
		w.tally.hit(logCompaction)
	}
}

// remake deletes a topic and makes another one of its name, at once or after a while.
func (w *world) remake(rng *rand.Rand) {
	w.topics.lock(topicBrief)
	defer w.topics.unlock(topicBrief)
	w.topics.produce(w.topics.records(topicBrief, rng.Int32N(2), rng, 1+rng.IntN(9))...)
	if rng.IntN(2) == 0 {
		wait(between(rng, 0, 10*time.Minute)) // time to archive some of it
	}
	w.deleted(topicBrief, topicRemade)
	if rng.IntN(2) == 0 {
		wait(between(rng, 0, time.Minute))
	}
	w.topics.create(topicBrief, w.topics.sizes[topicBrief])
}

// pass makes a topic, and deletes it for good.
func (w *world) pass(rng *rand.Rand) {
	name := fmt.Sprint(topicPassing, rng.Uint32())
	w.topics.create(name, 2)
	for range 3 {
		w.topics.produce(w.topics.records(name, rng.Int32N(2), rng, 1+rng.IntN(9))...)
		wait(between(rng, 0, 7*time.Minute))
	}
	w.deleted(name, topicDeleted)
}

func (w *world) deleted(name string, f fault) {
	w.journal.read(name)
	for _, p := range w.topics.partitions(name) {
		next := w.nextOf(p.place)
		if w.journal.remove(p.place, next, f, func(int64) bool { return true }); next > 0 {
			w.tally.hit(f)
		}
	}
	if err := w.virtual.Cluster.DeleteTopic(name); err != nil {
		w.breach("delete %s: %v", name, err)
	}
}

// nextOf returns the first offset of a partition that is not archived.
func (w *world) nextOf(p place) int64 {
	states, err := w.memory.History(w.t.Context())
	if err != nil {
		w.breach("ledger: %v", err)
	}
	for _, s := range states {
		if placeOf(s.Partition) == p {
			return s.Next
		}
	}
	return 0
}
