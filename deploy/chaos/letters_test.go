package main

import (
	"strconv"
	"testing"

	"github.com/signalbox-ml/signalbox/events"
)

func TestLetters(t *testing.T) {
	p := logPartition{"0a1b2c3d", "events.ticks", 1}
	own := []events.RecordHeader{{Key: "ce_id", Value: []byte("s-1")}, {Key: "again"}, {Key: "again", Value: []byte{}}}
	letter := func(offset int64, headers ...events.RecordHeader) []events.RecordHeader {
		return append(headers, events.RecordHeader{Key: "sb_dlq_topic", Value: []byte(p.topic)},
			events.RecordHeader{Key: "sb_dlq_topic_id", Value: []byte(p.topicID)}, events.RecordHeader{Key: "sb_dlq_partition", Value: []byte("1")},
			events.RecordHeader{Key: "sb_dlq_offset", Value: strconv.AppendInt(nil, offset, 10)})
	}
	other := []events.RecordHeader{{Key: "ce_id", Value: []byte("h0-1")}}
	tests := []struct {
		name   string
		letter []events.RecordHeader // of what stands at 7; none where nil
		value  string
		atEnd  bool
		want   int
	}{
		{"as it was", letter(7, own...), "v", true, 0},
		{"without its headers", letter(7), "v", false, 1},
		{"one header fewer", letter(7, own[:2]...), "v", false, 1},
		{"null for empty", letter(7, own[0], own[1], own[1]), "v", false, 1},
		{"another value", letter(7, own...), "w", false, 1},
		{"none yet", nil, "", false, 0},
		{"none", nil, "", true, 1},
		{"of something else", letter(8, own...), "v", true, 2},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			l := newLetters()
			l.see(p, 7, nil, []byte("v"), own)
			l.see(p, 9, nil, []byte("v"), other)
			if tc.letter != nil {
				l.see(logPartition{"ff", "events.ticks.dlq", 0}, 0, nil, []byte(tc.value), tc.letter)
			}
			var got findings
			l.judge(tc.atEnd, &got)
			if got.counts[breachLetter] != tc.want {
				t.Errorf("%d findings, want %d: %q", got.counts[breachLetter], tc.want, got.words)
			}
		})
	}
}
