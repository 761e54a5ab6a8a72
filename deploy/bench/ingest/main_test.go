package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/events"
)

// Every measurement that can be chosen can be done.
func TestMeasurementsAreThere(t *testing.T) {
	names, known := measurements()
	if len(names) != len(known) {
		t.Errorf("%d names, %d measurements", len(names), len(known))
	}
	for _, name := range names {
		if known[name] == nil {
			t.Errorf("%s cannot be done", name)
		}
	}
}

// Every form is a whole request, whose events have the ids asked for and fit their schema: nothing else is worth measuring.
func TestRequests(t *testing.T) {
	s, err := departures()
	if err != nil {
		t.Fatal(err)
	}
	for f, want := range map[form]int{binary: 1, structured: 1, batched: batchSize} {
		req := newRequest(f, "127.0.0.1:1", "secret", 3)
		for _, first := range []int64{7, 123_456_789} { // the same text again
			req.number(first)
			r, body := parsed(t, req.text)
			if r.Header.Get("Authorization") != "Bearer secret" || r.URL.Path != "/v1/events" {
				t.Errorf("%s: %v", f, r)
			}
			list := eventsOf(t, f, r.Header, body)
			if len(list) != want {
				t.Fatalf("%s: %d events", f, len(list))
			}
			for i, ev := range list {
				if got := numberOf([]byte(ev.ID())); got != first+int64(i) {
					t.Errorf("%s: event %d has the id %d", f, i, got)
				}
				if err := s.Check(ev.Data()); err != nil || ev.Type() != eventType {
					t.Errorf("%s: event %d: %v", f, i, err)
				}
			}
		}
	}
}

func parsed(t *testing.T, text []byte) (*http.Request, []byte) {
	t.Helper()
	in := bufio.NewReader(bytes.NewReader(text))
	r, err := http.ReadRequest(in)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if rest := in.Buffered(); err != nil || rest > 0 {
		t.Fatalf("%d bytes after the request, %v", rest, err)
	}
	return r, body
}

func eventsOf(t *testing.T, f form, h http.Header, body []byte) (list []events.Event) {
	t.Helper()
	if f == binary {
		at, err := time.Parse(time.RFC3339, h.Get("Ce-Time"))
		if err != nil {
			t.Fatal(err)
		}
		ev, err := events.New(h.Get("Ce-Type"), h.Get("Ce-Source"), h.Get("Ce-Subject"), h.Get("Ce-Id"), at, json.RawMessage(body))
		if err != nil {
			t.Fatal(err)
		}
		return []events.Event{ev}
	}
	texts := [][]byte{body}
	if f == batched {
		texts = nil
		for text, err := range events.Elements(body) {
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, text)
		}
	}
	for _, text := range texts {
		ev, err := events.ParseJSON(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, ev)
	}
	return list
}

// The bare server appends as much as ours does: as many records, with the same data.
func TestBareRecords(t *testing.T) {
	s := bareServer{split: splitBatch()}
	for _, tc := range []struct {
		f     form
		token string
		want  int
		size  int // of the first value
	}{
		{binary, "-", 1, len(data(0))},
		{structured, "-", 1, len(document(0))},
		{batched, "-", batchSize, len(data(0))},
		{batched, tokenCut, batchSize, len(document(0))},
	} {
		r, body := parsed(t, newRequest(tc.f, "127.0.0.1:1", tc.token, 0).text)
		recs, err := s.records(r.Header, body)
		if err != nil || len(recs) != tc.want || len(recs[0].Value) != tc.size {
			t.Fatalf("%s, token %s: %d records, %v", tc.f, tc.token, len(recs), err)
		}
		for _, rec := range recs {
			if len(rec.Key) != len(subject(0)) {
				t.Errorf("%s: key %q", tc.f, rec.Key)
			}
		}
	}
	if _, err := cut([]byte("no array")); err == nil {
		t.Error("what is no batch is cut")
	}
}

// The client tells what a server said: the status, whether it says when to come back, and what became of each event.
func TestClient(t *testing.T) {
	addr := answering(t, []string{
		"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 207 Multi-Status\r\nRetry-After: 1\r\nContent-Length: 26\r\n\r\n" + `{"results":[{"id":"7","sta`,
	})
	c, err := dial(addr, newRequest(binary, addr, "-", 0))
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	for i, want := range []answer{{status: 202}, {status: 429, wait: true}, {status: 503}} {
		if got, err := c.do(int64(i)); err != nil || got.status != want.status || got.wait != want.wait {
			t.Errorf("answer %d: %+v, %v", i, got, err)
		}
	}
	if _, err := c.do(3); err == nil || !strings.Contains(err.Error(), "answer 207") {
		t.Errorf("half an answer: %v", err)
	}
}

// answering is a server that has one answer for each request of its connection, whatever that is.
func answering(t *testing.T, answers []string) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		in := bufio.NewReader(conn)
		for _, text := range answers {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(conn, text)
		}
	}()
	return l.Addr().String()
}

// Of an open load each answer is counted as what it is.
func TestNote(t *testing.T) {
	now := time.Now()
	c := crowd{end: now.Add(time.Hour)}
	o := order{due: now, first: 500}
	for _, a := range []answer{
		{status: 200},
		{status: 207, wait: true, results: []result{{ID: "0000000000000501", Status: 202}, {ID: "0000000000000502", Status: 503}}},
		{status: 429, wait: true}, {status: 503}, {status: 500},
	} {
		c.note(o, now, a, nil)
	}
	c.note(o, now, answer{}, io.ErrUnexpectedEOF)
	c.note(o, now, answer{status: 200}, errClosing) // the answer stands
	c.from = now.Add(time.Hour)
	c.note(o, now, answer{status: 200}, nil) // too early to count as goodput
	c.from, c.end = now, now
	c.note(o, now, answer{status: 200}, nil) // too late
	out := c.out
	if out.taken != 5 || out.refused != 2 || out.waitless != 1 || out.wrong != 1 || out.broken != 1 || out.inTime != 2*batchSize+1 {
		t.Errorf("%+v", out)
	}
	if !slices.Equal(out.whole, []int64{500, 500, 500, 500}) || !slices.Equal(out.single, []int64{501}) {
		t.Errorf("in the log: %v and %v", out.whole, out.single)
	}
	if got := each([]int64{500}); len(got) != batchSize || got[batchSize-1] != 599 {
		t.Errorf("events of a batch: %v", got)
	}
}

// A load that was none is void.
func TestVoid(t *testing.T) {
	for name, o := range map[string]offered{
		"starved": {planned: 100, starved: 10, refused: 5}, "no overload": {planned: 100},
	} {
		if o.void() == nil {
			t.Errorf("%s: counts", name)
		}
	}
	if err := (offered{planned: 100, starved: 1, refused: 5}).void(); err != nil {
		t.Error(err)
	}
}
