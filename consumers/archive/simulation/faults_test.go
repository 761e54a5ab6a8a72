package simulation_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// fault is a kind of fault.
type fault string

// Faults of processes. Those that name a step wait for it.
const (
	crash          fault = "crash"
	crashPut       fault = "crash, file not sent"
	crashStored    fault = "crash, file stored"
	crashCommit    fault = "crash, commit not sent"
	crashCommitted fault = "crash, committed"
	crashMirror    fault = "crash, manifest not sent"
	crashMirrored  fault = "crash, manifest stored"
	crashCompactor fault = "crash of the compactor"
	crashSwapped   fault = "crash of the compactor, swapped"
	stop           fault = "stop"
	stopPut        fault = "stop, file held"
	stopCommit     fault = "stop, commit held"
	restart        fault = "restart"
)

// Faults of the bucket and of the ledger, each for a while and for some calls of one process.
const (
	bucketDown   fault = "bucket: refused"
	bucketDeaf   fault = "bucket: answer lost"
	bucketSlow   fault = "bucket: slow"
	bucketLate   fault = "bucket: done after a timeout"
	bucketTorn   fault = "bucket: read breaks off"
	ledgerDown   fault = "ledger: refused"
	ledgerSerial fault = "ledger: serialization failure"
	ledgerDeaf   fault = "ledger: answer lost"
	ledgerSlow   fault = "ledger: slow"
	ledgerLate   fault = "ledger: done after a timeout"
)

// Faults of Kafka and of what is in it.
const (
	kafkaCut         fault = "kafka: connections cut"
	kafkaHeld        fault = "kafka: connections held"
	kafkaNotLeader   fault = "kafka: NOT_LEADER_OR_FOLLOWER"
	kafkaRebalance   fault = "kafka: heartbeat refused"
	kafkaCoordinator fault = "kafka: NOT_COORDINATOR"
	kafkaCommit      fault = "kafka: offset commit refused"
	kafkaMove        fault = "kafka: leader moves"
	kafkaRehash      fault = "kafka: coordinator moves"
	logRetention     fault = "log: retention is ahead"
	logCompaction    fault = "log: compaction"
	topicRemade      fault = "log: topic made again"
	topicDeleted     fault = "log: topic deleted"
)

// kinds is how often in each block of hours a fault is planned.
func kinds() map[fault]int {
	return map[fault]int{
		crash: 4, crashPut: 3, crashStored: 3, crashCommit: 3, crashCommitted: 3, crashMirror: 3, crashMirrored: 3,
		crashCompactor: 2, crashSwapped: 3, stop: 3, stopPut: 3, stopCommit: 3, restart: 2,
		bucketDown: 3, bucketDeaf: 3, bucketSlow: 3, bucketLate: 3, bucketTorn: 4,
		ledgerDown: 3, ledgerSerial: 3, ledgerDeaf: 3, ledgerSlow: 3, ledgerLate: 3,
		kafkaCut: 3, kafkaHeld: 3, kafkaNotLeader: 3, kafkaRebalance: 3, kafkaCoordinator: 3, kafkaCommit: 6, kafkaMove: 4,
		kafkaRehash: 2, logRetention: 3, logCompaction: 3, topicRemade: 2, topicDeleted: 2,
	}
}

// sights are not planned: they are what faults must have led to, or the day was too kind.
const (
	sawFenced    fault = "seen: a claim that is gone"
	sawExists    fault = "seen: a PUT that met its own object"
	sawLost      fault = "seen: a flush of what retention removed"
	sawAborted   fault = "seen: an aborted transaction"
	sawDuplicate fault = "seen: a duplicate left out by the compactor"
	sawPurge     fault = "seen: a purge"
	sawFull      fault = "seen: a flush for size"
	sawMixed     fault = "seen: a file of many types"
)

func sights() []fault {
	return []fault{sawFenced, sawExists, sawLost, sawAborted, sawDuplicate, sawPurge, sawFull, sawMixed}
}

// tally counts what was met.
type tally struct {
	mu      sync.Mutex
	planned map[fault]int
	met     map[fault]int
}

func (t *tally) plan(f fault) { t.count(&t.planned, f, 1) }

func (t *tally) hit(f fault) { t.count(&t.met, f, 1) }

func (t *tally) hits(f fault, n int) { t.count(&t.met, f, n) }

func (t *tally) count(m *map[fault]int, f fault, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if *m == nil {
		*m = map[fault]int{}
	}
	(*m)[f] += n
}

// missed lists what a day had to meet and did not.
func (t *tally) missed() []fault {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := slices.Concat(slices.Sorted(maps.Keys(kinds())), sights())
	return slices.DeleteFunc(all, func(f fault) bool { return t.met[f] > 0 })
}

func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b strings.Builder
	for _, f := range slices.Concat(slices.Sorted(maps.Keys(kinds())), sights()) {
		fmt.Fprintf(&b, "%-45s planned %3d, met %4d\n", f, t.planned[f], t.met[f])
	}
	return b.String()
}

// spell is a fault that is on for a process.
type spell struct {
	target string
	fault  fault
}

// weather is the spells of the moment, each with the share of calls that it spoils.
type weather struct {
	mu sync.Mutex
	on map[spell]float64
}

// turn begins a spell, which ends by itself.
func (w *weather) turn(s spell, share float64, d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.on == nil {
		w.on = map[spell]float64{}
	}
	w.on[s] = share
	time.AfterFunc(d, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.on, s)
	})
}

// of returns the first of faults that strikes a process's call. draw gives the call's own random numbers, one for each
// fault, so that spells do not shift each other.
func (w *weather) of(target string, faults []fault, draw func() float64) fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range faults {
		if p := draw(); p < w.on[spell{target, f}] {
			return f
		}
	}
	return ""
}
