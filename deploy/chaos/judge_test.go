package main

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/events"
)

// records are rows of a log, one for each offset.
func records(offsets ...int64) []row {
	var rows []row
	for _, o := range offsets {
		rows = append(rows, row{offset: o, id: fmt.Sprint("e", o), sum: sha256.Sum256(fmt.Append(nil, o))})
	}
	return rows
}

// flushOf is a flush [start, end) whose files have these rows.
func flushOf(start, end int64, files ...[]row) flushRow {
	f := flushRow{seq: 1, part: logPartition{"0a1b2c3d", "events.x", 2}, start: start, end: end}
	for i, rows := range files {
		f.records += int64(len(rows))
		file := fileRow{key: fmt.Sprint("file-", i), start: start, end: end, rows: rows}
		f.files = append(f.files, file)
	}
	return f
}

func TestJudgeFlush(t *testing.T) {
	altered := records(10, 11, 12)
	altered[1].sum[0] ^= 1
	miscounted := flushOf(10, 13, records(10, 11, 12))
	miscounted.records = 4
	outside := flushOf(10, 13, records(10, 11, 12))
	outside.files[0].end = 14
	tests := []struct {
		name  string
		next  int64
		flush flushRow
		log   []row
		want  map[breach]int
	}{
		{"whole", 10, flushOf(10, 13, records(10, 11, 12)), records(10, 11, 12), nil},
		{"two types, and offsets without a record", 10, flushOf(10, 20, records(10, 15), records(11, 19)), records(10, 11, 15, 19), nil},
		{"nothing but control records", 10, flushOf(10, 12), nil, nil},
		{"lost at the start", 10, flushOf(10, 13, records(11, 12)), records(10, 11, 12), map[breach]int{breachLost: 1}},
		{"lost in the middle and at the end", 10, flushOf(10, 14, records(10, 12)), records(10, 11, 12, 13), map[breach]int{breachLost: 2}},
		{"a whole file lost", 10, flushOf(10, 13), records(10, 11, 12), map[breach]int{breachLost: 3}},
		{"twice in two files", 10, flushOf(10, 13, records(10, 11, 12), records(11)), records(10, 11, 12), map[breach]int{breachTwice: 1}},
		{"an aborted record", 10, flushOf(10, 13, records(10, 11, 12)), records(10, 12), map[breach]int{breachForeign: 1}},
		{"a record behind the log", 10, flushOf(10, 13, records(10, 11, 12)), records(10, 11), map[breach]int{breachForeign: 1}},
		{"another value", 10, flushOf(10, 13, altered), records(10, 11, 12), map[breach]int{breachAltered: 1}},
		{"disorder in a file", 10, flushOf(10, 13, records(11, 10, 12)), records(10, 11, 12), map[breach]int{breachOrder: 1}},
		{"twice in one file", 10, flushOf(10, 13, records(10, 10, 11, 12)), records(10, 11, 12), map[breach]int{breachOrder: 1, breachTwice: 1}},
		{"a hole before", 9, flushOf(10, 13, records(10, 11, 12)), records(9, 10, 11, 12), map[breach]int{breachChain: 1, breachLost: 1}},
		{"an overlap", 11, flushOf(10, 13, records(10, 11, 12)), records(11, 12), map[breach]int{breachChain: 1, breachForeign: 1}},
		{"another number of records", 10, miscounted, records(10, 11, 12), map[breach]int{breachChain: 1}},
		{"a file beyond its flush", 10, outside, records(10, 11, 12), map[breach]int{breachChain: 1}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			var got findings
			judgeFlush(tc.flush, tc.next, tc.log, &got)
			for _, b := range breaches() {
				if got.counts[b] != tc.want[b] {
					t.Errorf("%s: %d, want %d: %q", b, got.counts[b], tc.want[b], got.words)
				}
			}
		})
	}
}

func TestJudgeAcksAndSeals(t *testing.T) {
	var got findings
	judgeAcks(map[string]string{"a": "", "b": "", "d": "1", "e": "1"}, map[string]string{"a": "1", "c": "1", "d": "1", "e": "2"}, &got)
	judgeSeals(map[string]bool{"s": true, "t": true}, map[string]int{"s": 3, "u": 1}, &got)
	if got.counts[breachAcked] != 2 || got.counts[breachSeal] != 2 || got.total() != 4 || got.since.IsZero() {
		t.Errorf("%v %q", got.counts, got.words)
	}
}

func TestSumKnowsEveryPart(t *testing.T) {
	at := time.UnixMilli(5)
	headers := func(kv ...string) []events.RecordHeader {
		var hs []events.RecordHeader
		for i := 0; i < len(kv); i += 2 {
			hs = append(hs, events.RecordHeader{Key: kv[i], Value: []byte(kv[i+1])})
		}
		return hs
	}
	seen := map[[sha256.Size]byte]string{}
	for name, sum := range map[string][sha256.Size]byte{
		"as it is":       sumOf([]byte("k"), []byte("v"), headers("a", "1", "b", "2"), at),
		"no key":         sumOf(nil, []byte("v"), headers("a", "1", "b", "2"), at),
		"empty key":      sumOf([]byte{}, []byte("v"), headers("a", "1", "b", "2"), at),
		"moved boundary": sumOf([]byte("kv"), []byte(""), headers("a", "1", "b", "2"), at),
		"order":          sumOf([]byte("k"), []byte("v"), headers("b", "2", "a", "1"), at),
		"header's value": sumOf([]byte("k"), []byte("v"), headers("a", "1", "b", "3"), at),
		"time":           sumOf([]byte("k"), []byte("v"), headers("a", "1", "b", "2"), at.Add(time.Millisecond)),
	} {
		if other, ok := seen[sum]; ok {
			t.Errorf("%s and %s have one sum", name, other)
		}
		seen[sum] = name
	}
}
