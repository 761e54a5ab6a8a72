package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// outcome is the exit status of a run.
type outcome int

// What a run can come to.
const (
	verdictPass outcome = 0
	verdictFail outcome = 1
	verdictVoid outcome = 2 // it proves nothing: a fault did not hit
)

// report is what a run has to say.
type report struct {
	options options
	dir     string
	tally   *tally

	found    findings
	watch    watchFigures
	acked    int
	records  int64 // in the log, as checked
	rows     int64
	files    int64
	bytes    int64
	flushes  int
	puts     int
	deleted  int64         // records that were lost with their topic
	caught   time.Duration // from the beginning of faults to the first violation
	caughtUp time.Duration
	checked  time.Duration
	ends     []string
}

// fill takes the figures over when everything was judged.
func (r *report) fill(s *stage, acked int) {
	r.found, r.watch, r.acked = s.checker.found, s.world.watch.totals(), acked
	r.rows, r.files, r.bytes, r.flushes = s.checker.rows, s.checker.files, s.checker.bytes, len(s.checker.seals)
	r.puts, r.deleted = s.world.audit.count(), s.checker.deleted
	if at := r.found.since; !at.IsZero() {
		r.caught = at.Sub(s.began)
	}
	s.checker.tail.mu.Lock()
	defer s.checker.tail.mu.Unlock()
	r.records = s.checker.tail.records
}

func (r *report) ended(s *subject) {
	ended, starts := s.ends()
	r.ends = append(r.ends, fmt.Sprintf("%s: %d starts, %d ends of its own", s.name, starts, ended))
}

// void says why a run without a violation proves nothing, or nothing.
func (r *report) void() []string {
	var why []string
	for _, f := range r.tally.missed() {
		why = append(why, fmt.Sprintf("%q never hit", f))
	}
	if r.watch.stale == 0 && r.tally.wants(stopUpdate) {
		why = append(why, "no stale owner was ever refused")
	}
	if n := r.tally.kills(); n < r.options.MinKills {
		why = append(why, fmt.Sprintf("%d kills of archivers, want %d", n, r.options.MinKills))
	}
	if r.conflicts() < r.options.MinConflicts {
		why = append(why, fmt.Sprintf("%d stale owners refused, want %d", r.conflicts(), r.options.MinConflicts))
	}
	if r.acked == 0 || r.rows == 0 {
		why = append(why, "nothing was archived")
	}
	return why
}

func (r *report) conflicts() int { return r.watch.stale + r.watch.observed }

func (r *report) verdict() outcome {
	switch {
	case r.found.total() > 0:
		return verdictFail
	case len(r.void()) > 0:
		return verdictVoid
	}
	return verdictPass
}

func (r *report) print(w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "\nFAULT\tPLANNED\tINJECTED\tHIT\tREQUESTS")
	for _, k := range append(processKinds(), storeKinds()...) {
		c := r.tally.faults[k.fault]
		requests := "-"
		if strings.HasPrefix(string(k.fault), "s3 ") {
			requests = fmt.Sprint(c.requests)
		}
		fmt.Fprintf(tw, "%s\t%d\t%d\t%d\t%s\n", k.fault, c.planned, c.injected, c.hit, requests)
	}
	_ = tw.Flush()
	line := func(name, format string, args ...any) {
		fmt.Fprintf(tw, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	fmt.Fprintln(tw)
	line("kills of archivers", "%d", r.tally.kills())
	line("stale owners refused by the ledger", "%d (%d flushes, %d idle notes)", r.conflicts(), r.watch.stale, r.watch.observed)
	line("commits recognised after a lost answer", "%d", r.watch.recognised)
	line("claims, commits", "%d, %d", r.watch.claims, r.watch.commits)
	line("sleeps with locks, in which nobody committed", "%d, %s at most", len(r.tally.stalls), longest(r.tally.stalls))
	line("recovery after a kill", "p50 %s, p99 %s, max %s, of %d", quantile(r.watch.recoveries, 0.5), quantile(r.watch.recoveries, 0.99),
		longest(r.watch.recoveries), len(r.watch.recoveries))
	line("subjects", "%s", strings.Join(r.ends, "; "))
	line("transactions", "%d committed, %d aborted", r.tally.committed, r.tally.aborted)
	line("events sent again", "%d", r.tally.again)
	line("events acknowledged", "%d", r.acked)
	line("records in the log", "%d", r.records)
	line("of them lost with a deleted topic", "%d", r.deleted)
	line("rows archived", "%d in %d files of %d bytes, %d flushes sealed", r.rows, r.files, r.bytes, r.flushes)
	line("writes below archive/ and manifests/", "%d", r.puts)
	line("caught up, checked", "%s, %s", r.caughtUp.Round(time.Millisecond), r.checked.Round(time.Millisecond))
	for _, b := range breaches() {
		line(string(b), "%d", r.found.counts[b])
	}
	_ = tw.Flush()
	for _, words := range r.found.words {
		fmt.Fprintln(w, "VIOLATION", words)
	}
	switch r.verdict() {
	case verdictPass:
		fmt.Fprintln(w, "PASS")
		return
	case verdictVoid:
		fmt.Fprintln(w, "VOID:", strings.Join(r.void(), "; "))
	default:
		fmt.Fprintf(w, "FAIL: %d violations, the first after %s\n", r.found.total(), r.caught.Round(100*time.Millisecond))
	}
	fmt.Fprintln(w, r.options.replay())
}

// quantile is the smallest value that a share q of all do not exceed.
func quantile(ds []time.Duration, q float64) time.Duration {
	if len(ds) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(ds))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))].Round(time.Millisecond)
}

func longest(ds []time.Duration) time.Duration {
	if len(ds) == 0 {
		return 0
	}
	return slices.Max(ds).Round(time.Millisecond)
}
