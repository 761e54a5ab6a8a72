package main

import (
	"fmt"
	"slices"
	"time"
)

// breach is a kind of broken promise.
type breach string

// What can be wrong with an archive.
const (
	breachAcked     breach = "acknowledged and not in the log"
	breachLost      breach = "lost"
	breachTwice     breach = "duplicated"
	breachForeign   breach = "not in the log"
	breachAltered   breach = "altered"
	breachOrder     breach = "reordered"
	breachChain     breach = "flushes that do not follow each other"
	breachFile      breach = "files damaged or missing"
	breachSeal      breach = "archive.sealed missing or wrong"
	breachLetter    breach = "dead letter missing or wrong"
	breachOverwrite breach = "overwriting PUT"
	breachVerify    breach = "faults of archive verify"
	breachCrash     breach = "subjects that crashed by themselves"
	breachBehind    breach = "not caught up"
)

// breaches lists all kinds, in the order of a report.
func breaches() []breach {
	return []breach{breachAcked, breachLost, breachTwice, breachForeign, breachAltered, breachOrder, breachChain, breachFile,
		breachSeal, breachLetter, breachOverwrite, breachVerify, breachCrash, breachBehind}
}

// findings counts breaches and keeps the first of them in words.
type findings struct {
	counts map[breach]int
	words  []string
	since  time.Time // of the first; zero without any
}

// maxWords bounds what a report shows; the counts are of all.
const maxWords = 40

func (f *findings) add(b breach, format string, args ...any) {
	if f.counts == nil {
		f.counts, f.since = map[breach]int{}, time.Now()
	}
	f.counts[b]++
	if len(f.words) < maxWords {
		f.words = append(f.words, string(b)+": "+fmt.Sprintf(format, args...))
	}
}

func (f *findings) total() int {
	n := 0
	for _, c := range f.counts {
		n += c
	}
	return n
}

// flushRow is a flush of the ledger with what its files really hold.
type flushRow struct {
	seq        int64
	part       logPartition
	start, end int64
	records    int64
	files      []fileRow
	purged     bool // files were replaced and removed: only what is live can be compared
}

// fileRow is a file as it was read.
type fileRow struct {
	key        string
	start, end int64 // as the ledger says
	rows       []row
}

// judgeFlush compares one flush with the log's records in its range. next is where the flush before ended.
func judgeFlush(f flushRow, next int64, log []row, out *findings) {
	if f.start != next {
		out.add(breachChain, "%s: flush %d starts at %d, the one before ends at %d", f.part, f.seq, f.start, next)
	}
	if f.purged {
		return
	}
	var archived []row
	for _, file := range f.files {
		judgeFile(f, file, out)
		archived = append(archived, file.rows...)
	}
	if int64(len(archived)) != f.records {
		out.add(breachChain, "%s: flush %d says %d records, its files have %d", f.part, f.seq, f.records, len(archived))
	}
	slices.SortStableFunc(archived, func(x, y row) int { return int(x.offset - y.offset) })
	compare(f, log, archived, out)
}

func judgeFile(f flushRow, file fileRow, out *findings) {
	last := int64(-1)
	for _, r := range file.rows {
		if r.offset <= last {
			out.add(breachOrder, "%s: %s has offset %d after %d", f.part, file.key, r.offset, last)
		}
		last = r.offset
		if r.offset < file.start || r.offset >= file.end {
			out.add(breachOrder, "%s: %s has offset %d, its range is [%d, %d)", f.part, file.key, r.offset, file.start, file.end)
		}
	}
	if file.start < f.start || file.end > f.end {
		out.add(breachChain, "%s: %s reaches beyond its flush [%d, %d)", f.part, file.key, f.start, f.end)
	}
}

// compare walks both in order of offsets.
func compare(f flushRow, log, archived []row, out *findings) {
	i := 0
	for n, a := range archived {
		if n > 0 && archived[n-1].offset == a.offset {
			out.add(breachTwice, "%s: offset %d (%s) is there again", f.part, a.offset, a.id)
			continue
		}
		for ; i < len(log) && log[i].offset < a.offset; i++ {
			out.add(breachLost, "%s: offset %d (%s)", f.part, log[i].offset, log[i].id)
		}
		switch {
		case i == len(log) || log[i].offset != a.offset:
			out.add(breachForeign, "%s: offset %d (%s)", f.part, a.offset, a.id)
			continue
		case log[i].sum != a.sum:
			out.add(breachAltered, "%s: offset %d (%s)", f.part, a.offset, a.id)
		}
		i++
	}
	for ; i < len(log); i++ {
		out.add(breachLost, "%s: offset %d (%s)", f.part, log[i].offset, log[i].id)
	}
}

// judgeAcks looks every acknowledged event up in the log. Both map to a topic's id; the one of an acknowledgement may be
// unknown.
func judgeAcks(acked, log map[string]string, out *findings) {
	for id, topic := range acked {
		if at, ok := log[id]; !ok || topic != "" && topic != at {
			out.add(breachAcked, "%s", id)
		}
	}
}

// judgeSeals wants an event for every flush and none besides. The same one may come again.
func judgeSeals(flushes map[string]bool, sealed map[string]int, out *findings) {
	for id := range flushes {
		if sealed[id] == 0 {
			out.add(breachSeal, "no event %s", id)
		}
	}
	for id := range sealed {
		if !flushes[id] {
			out.add(breachSeal, "event %s of no flush", id)
		}
	}
}
