package main

import (
	"strings"
	"testing"
)

func TestArchiveStatus(t *testing.T) {
	const topic = `{"topics":[{"topic":"events.flights","topic_id":"9081e64f-b2c0-455e-bcaa-c1c211fa124b","stream":"flights","partitions":[
		{"partition":0,"next":120,"epoch":3,"files":2,"rows":118,"bytes":4096,"archived_through":"2026-01-02T03:04:05Z","event_time":null,"caught_up":true,"updated_at":"2026-01-02T03:05:00Z"},
		{"partition":1,"next":0,"epoch":1,"files":0,"rows":0,"bytes":0,"archived_through":null,"event_time":null,"caught_up":false,"updated_at":"2026-01-02T03:05:00Z"}],
		"several":{"files":3,"rows":900,"bytes":10240}},
		{"topic":"events.hotels","topic_id":"0081e64f-b2c0-455e-bcaa-c1c211fa124b","stream":"hotels","partitions":[
		{"partition":0,"next":1,"epoch":1,"files":1,"rows":1,"bytes":7,"archived_through":null,"event_time":null,"caught_up":true,"updated_at":"2026-01-02T03:05:00Z"}],
		"several":{"files":0,"rows":0,"bytes":0}}]}`
	env := serve(t, canned{"GET /v1/archive": topic, "GET /v1/archive?topic=events.none": `{"topics":[]}`})
	same(t, execute(t.Context(), env, "", "archive", "status").ok(t), strings.Join([]string{
		"TOPIC            PARTITION   NEXT OFFSET   FILES   ROWS   BYTES   ARCHIVED THROUGH       CAUGHT UP",
		"events.flights   0           120           2       118    4096    2026-01-02T03:04:05Z   true",
		"events.flights   1           0             0       0      0       -                      false",
		"events.flights   several     -             3       900    10240   -                      -",
		"events.hotels    0           1             1       1      7       -                      true",
	}, "\n"))
	if out := execute(t.Context(), env, "", "archive", "status", "-o", "json").ok(t); !strings.Contains(out, `"archived_through": "2026-01-02T03:04:05Z"`) || !strings.Contains(out, `"archived_through": null`) || !strings.Contains(out, `"rows": 900`) {
		t.Error(out)
	}
	if out := execute(t.Context(), env, "", "archive", "status", "--topic", "events.none").ok(t); strings.Contains(out, "flights") {
		t.Error(out)
	}
	// The real server answers what this client reads, too.
	newWorld(t).run("archive", "status").ok(t)
}
