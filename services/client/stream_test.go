package client

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
)

func TestEventStream(t *testing.T) {
	tests := map[string]struct {
		text string
		want []serverEvent
	}{
		"lines":                   {"id: 4\ndata: one\n\nid: 9\ndata:  two\n\n", []serverEvent{{id: "4", data: "one"}, {id: "9", data: " two"}}},
		"an empty line":           {"id: 1\ndata: \n\nid: 2\ndata\n\n", []serverEvent{{id: "1"}, {id: "2"}}},
		"several lines of data":   {"data: a\ndata:b\nid: 3\n\n", []serverEvent{{id: "3", data: "a\nb"}}},
		"comments and heartbeats": {": still there\n\n:\n\ndata: x\n: in between\n\n", []serverEvent{{data: "x"}}},
		"a kind":                  {"event: end\ndata: complete\n\n", []serverEvent{{kind: "end", data: "complete"}}},
		"what has no data":        {"event: end\n\ndata: x\n\n", []serverEvent{{data: "x"}}},
		"ids of other forms":      {"id: 1.0\ndata: a\n\ndata: b\n\n", []serverEvent{{id: "1.0", data: "a"}, {data: "b"}}},
		"members of others":       {"retry: 5\nmore: 7\ndata: a\n\n", []serverEvent{{data: "a"}}},
		"carriage returns":        {"id: 4\r\ndata: a\r\n\r\n", []serverEvent{{id: "4", data: "a"}}},
		"what is cut off":         {"data: a\n\nid: 9\ndata: b\n", []serverEvent{{data: "a"}}},
		"nothing":                 {"", nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := newEventStream(strings.NewReader(tc.text))
			var got []serverEvent
			for {
				ev, err := s.next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, ev)
			}
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestEventStreamIsBounded(t *testing.T) {
	s := newEventStream(strings.NewReader("data: " + strings.Repeat("x", maxLine) + "\n\n"))
	if _, err := s.next(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a line without an end: %v", err)
	}
}

func FuzzEventStream(f *testing.F) {
	f.Add("id: 4\ndata: one\n\n: still there\n\nevent: end\ndata: complete\n\n")
	f.Add("data\ndata:\ndata: a:b\r\n\nid: 99999999999999999999\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, n := newEventStream(strings.NewReader(text)), 0
		for {
			ev, err := s.next()
			if err != nil {
				return
			}
			if n++; n > len(text) || len(ev.id) > len(text) || len(ev.data) > len(text) {
				t.Fatalf("event %d of %d bytes: %+v", n, len(text), ev)
			}
		}
	})
}

func TestBatches(t *testing.T) {
	small, large := outgoing{text: []byte("{}")}, outgoing{text: make([]byte, 5<<20)}
	tests := map[string]struct {
		list []outgoing
		want int
	}{
		"a few":                  {make([]outgoing, 3), 3},
		"as many as may be":      {make([]outgoing, 1000), 1000},
		"more than may be":       {make([]outgoing, 1001), 1000},
		"more bytes than may be": {[]outgoing{small, large, large}, 2},
		"one that is too large":  {[]outgoing{{text: make([]byte, 9<<20)}, small}, 1},
	}
	for name, tc := range tests {
		if got := batchOf(tc.list); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
}
