package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"text/tabwriter"
	"time"
)

// fault is a kind of fault. Its text stands in plans and reports.
type fault string

// Faults of processes. Those that name a step are aimed: the wire is held there, so that the process dies or sleeps
// exactly then.
const (
	killRandom    fault = "kill at random"
	killWorking   fault = "kill while it archives"
	killFile      fault = "kill, file not sent"
	killFileDone  fault = "kill, file stored"
	killCommit    fault = "kill, commit not sent"
	killCommitted fault = "kill, committed"
	killMirror    fault = "kill, manifest not sent"
	killMirrored  fault = "kill, manifest stored"
	stopRandom    fault = "stop while it archives"
	stopFile      fault = "stop, file held"
	stopUpdate    fault = "stop, transaction held"
	stopCommit    fault = "stop, commit held"
	cutCommit     fault = "cut, commit not sent"
	cutCommitted  fault = "cut, committed" // nobody dies: the archiver must find out by itself
	killBroker    fault = "kill the broker"
	killPostgres  fault = "kill the database"
	killIngest    fault = "kill ingest"
	killBoth      fault = "kill ingest, broker dead" // what ingest has acknowledged must be in the log, whoever dies
	remakeTopic   fault = "topic made again"
)

// Faults of the object store, as one archiver sees it.
const (
	s3Error    fault = "s3 500"
	s3SlowDown fault = "s3 503 SlowDown"
	s3Lost     fault = "s3 answer lost"
	s3Slow     fault = "s3 slow"
	s3Cut      fault = "s3 body cut"
	s3Conflict fault = "s3 409 conflict"
)

// kind is what a plan knows about a fault: how often it is drawn, and about how long it takes.
type kind struct {
	fault  fault
	weight int
	cost   time.Duration
}

// processKinds are drawn one after another: two of them at a time would hide each other.
func processKinds() []kind {
	return []kind{
		{killRandom, 40, 250 * time.Millisecond}, {killWorking, 10, 900 * time.Millisecond},
		{killFile, 9, 900 * time.Millisecond}, {killFileDone, 9, 900 * time.Millisecond},
		{killCommit, 9, 900 * time.Millisecond}, {killCommitted, 9, 900 * time.Millisecond},
		{killMirror, 9, 900 * time.Millisecond}, {killMirrored, 9, 900 * time.Millisecond},
		{stopRandom, 2, 3500 * time.Millisecond}, {stopFile, 3, 3500 * time.Millisecond}, {stopUpdate, 3, 3500 * time.Millisecond},
		{stopCommit, 1, 3 * time.Second},
		{cutCommit, 2, 900 * time.Millisecond}, {cutCommitted, 2, 900 * time.Millisecond},
		{killBroker, 1, 12 * time.Second}, {killPostgres, 1, 4 * time.Second},
		{killIngest, 2, 2 * time.Second}, {killBoth, 1, 12 * time.Second}, {remakeTopic, 1, 2 * time.Second},
	}
}

// storeKinds go on beside those of processes.
func storeKinds() []kind {
	return []kind{
		{s3Error, 1, 2500 * time.Millisecond}, {s3SlowDown, 1, 2500 * time.Millisecond}, {s3Lost, 1, 2500 * time.Millisecond},
		{s3Slow, 1, 2500 * time.Millisecond}, {s3Cut, 1, 2500 * time.Millisecond}, {s3Conflict, 1, 2500 * time.Millisecond},
	}
}

// archivers is how many processes share the work: one fewer would leave nobody to take over.
const archivers = 2

// step is one line of a plan.
type step struct {
	At     time.Duration `json:"at"` // not before; what comes before it may take longer
	Fault  fault         `json:"fault"`
	Target int           `json:"target"` // archiver, -1 for none
	For    time.Duration `json:"for"`    // delay of a kill, length of a stop or of a fault of the store
}

// schedule is what a seed stands for.
type schedule struct {
	Kinds   []fault `json:"kinds"` // each must hit
	Process []step  `json:"process"`
	Store   []step  `json:"store"`
}

// makePlan fills d. Every kind comes once before any comes again.
func makePlan(seed uint64, d time.Duration) schedule {
	rng := rand.New(rand.NewPCG(seed, 0))
	return fill(rng, processKinds(), storeKinds(), d)
}

// aimedPlan has only some kinds of faults of processes.
func aimedPlan(seed uint64, d time.Duration, aims ...fault) schedule {
	kinds := slices.DeleteFunc(processKinds(), func(k kind) bool { return !slices.Contains(aims, k.fault) })
	return fill(rand.New(rand.NewPCG(seed, 0)), kinds, nil, d)
}

func fill(rng *rand.Rand, processes, stores []kind, d time.Duration) schedule {
	process := deal(rng, processes, d, func(target int, f fault) step {
		switch f {
		case killBroker, killPostgres, killIngest, remakeTopic:
			return step{Target: -1}
		case killBoth:
			return step{Target: -1, For: between(rng, 500, 1000)} // how long ingest lives without the broker
		case stopRandom, stopFile, stopUpdate, stopCommit:
			return step{Target: target, For: between(rng, 0, 700)} // beyond the session's timeout
		}
		return step{Target: target, For: between(rng, 40, 300)}
	})
	store := deal(rng, stores, d, func(int, fault) step {
		return step{Target: rng.IntN(archivers), For: between(rng, 300, 1500)}
	})
	p := schedule{Process: process, Store: store}
	for _, k := range slices.Concat(processes, stores) {
		p.Kinds = append(p.Kinds, k.fault)
	}
	return p
}

func between(rng *rand.Rand, least, most int) time.Duration {
	return time.Duration(least+rng.IntN(most-least+1)) * time.Millisecond
}

// deal lays steps end to end, by what they are expected to take. Targets take turns: one recovers while the next is hit.
func deal(rng *rand.Rand, kinds []kind, d time.Duration, draft func(target int, f fault) step) []step {
	total := 0
	for _, k := range kinds {
		total += k.weight
	}
	if total == 0 {
		return nil
	}
	first := slices.Clone(kinds)
	rng.Shuffle(len(first), func(i, j int) { first[i], first[j] = first[j], first[i] })
	var steps []step
	for at := time.Duration(0); ; {
		var k kind
		if len(steps) < len(first) {
			k = first[len(steps)]
		} else {
			k = draw(kinds, rng.IntN(total))
		}
		if at+k.cost > d {
			return steps
		}
		s := draft(len(steps)%archivers, k.fault)
		s.At, s.Fault = at, k.fault
		steps = append(steps, s)
		at += k.cost
	}
}

func draw(kinds []kind, n int) kind {
	for _, k := range kinds {
		if n -= k.weight; n < 0 {
			return k
		}
	}
	return kinds[0]
}

// print lists the plan in order of time.
func (p schedule) print(w io.Writer) {
	all := slices.Concat(p.Process, p.Store)
	slices.SortStableFunc(all, func(x, y step) int { return int(x.At - y.At) })
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer tw.Flush()
	fmt.Fprintln(tw, "AT\tFAULT\tTARGET\tFOR")
	for _, s := range all {
		target := "-"
		if s.Target >= 0 {
			target = fmt.Sprint("archive-", s.Target)
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", s.At, s.Fault, target, s.For)
	}
}
