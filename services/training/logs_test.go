package training

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
)

func (w *world) log(id registry.RunID, query string, headers ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	return w.do(w.tokens[auth.Viewer], "GET", "/v1/runs/"+id.String()+"/logs"+query, "", headers...)
}

func TestLogsWhileRunningAndAfter(t *testing.T) {
	w := newWorld(t)
	id, _ := w.queued()
	if rec := w.log(id, ""); rec.Code != 200 || rec.Body.String() != "" {
		t.Errorf("before: %d %q", rec.Code, rec.Body)
	}
	w.put(chunkKey(id, 0), "one\ntw")
	w.put(chunkKey(id, 1), "o\n")
	if rec := w.log(id, ""); rec.Body.String() != "one\ntwo\n" || rec.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("live: %q %v", rec.Body, rec.Header())
	}
	w.put(registry.ArtifactKey(id, 1, registry.ArtifactLogs), "the whole log\n")
	if rec := w.log(id, "?attempt=1"); rec.Body.String() != "the whole log\n" {
		t.Errorf("after: %q", rec.Body)
	}
	for _, bad := range []string{"?attempt=0", "?attempt=2", "?attempt=x"} {
		if rec := w.log(id, bad); rec.Code != 400 {
			t.Errorf("%s: %d", bad, rec.Code)
		}
	}
}

// frame is one server-sent event.
type frame struct{ typ, id, data string }

// follower reads events of a live server.
type follower struct {
	t      *testing.T
	lines  *bufio.Scanner
	answer *http.Response
}

func (w *world) follow(ctx context.Context, url string, id registry.RunID, last string) *follower {
	w.t.Helper()
	return w.followAt(ctx, url+"/v1/runs/"+id.String()+"/logs", last)
}

func (w *world) followAt(ctx context.Context, url, last string) *follower {
	w.t.Helper()
	r, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.tokens[auth.Viewer])
	r.Header.Set("Accept", "text/event-stream")
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	client := &http.Client{Timeout: time.Minute}
	answer, err := client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = answer.Body.Close() }) // read to its end, or cut off on purpose
	if typ := answer.Header.Get("Content-Type"); answer.StatusCode != 200 || typ != "text/event-stream" {
		w.t.Fatalf("follow: %d %s", answer.StatusCode, typ)
	}
	return &follower{t: w.t, lines: bufio.NewScanner(answer.Body), answer: answer}
}

// next returns the next event that is no comment.
func (f *follower) next() frame {
	f.t.Helper()
	var e frame
	for f.lines.Scan() {
		line := f.lines.Text()
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "event":
			e.typ = value
		case "id":
			e.id = value
		case "data":
			e.data += value
		}
		if line == "" && e != (frame{}) {
			return e
		}
	}
	f.t.Fatalf("the stream ended: %v", f.lines.Err())
	return e
}

func (f *follower) want(events ...frame) {
	f.t.Helper()
	for _, e := range events {
		if got := f.next(); got != e {
			f.t.Fatalf("event %+v, want %+v", got, e)
		}
	}
}

func TestFollowALog(t *testing.T) {
	w := newWorld(t)
	srv := httptest.NewServer(w.router)
	defer srv.Close()
	id, token := w.queued()
	w.put(chunkKey(id, 0), "one\ntw")
	f := w.follow(t.Context(), srv.URL, id, "")
	f.want(frame{id: "4", data: "one"})
	w.put(chunkKey(id, 1), "o\nthree\nlast")
	f.want(frame{id: "8", data: "two"}, frame{id: "14", data: "three"})

	again := w.follow(t.Context(), srv.URL, id, "8") // cut off after "two"
	again.want(frame{id: "14", data: "three"})

	w.report(token, id, "fail", `{"attempt":1,"exception":{"type":"X"}}`, http.StatusOK)
	w.put(chunkKey(id, 2), " words") // the end of the log comes after the end of the run
	w.put(registry.ArtifactKey(id, 1, registry.ArtifactLogs), "one\ntwo\nthree\nlast words")
	for _, one := range []*follower{f, again} {
		one.want(frame{id: "24", data: "last words"}, frame{typ: "end", data: "failed"})
	}
}

// Whoever follows a run before its first attempt sees that attempt from its first line.
func TestFollowBeforeTheFirstAttempt(t *testing.T) {
	w := newWorld(t)
	srv := httptest.NewServer(w.router)
	defer srv.Close()
	id := w.requestRun()
	f := w.follow(t.Context(), srv.URL, id, "")
	if _, err := w.reg.QueueRun(t.Context(), id, "CPU"); err != nil {
		t.Fatal(err)
	}
	w.put(chunkKey(id, 0), "one\n")
	f.want(frame{id: "4", data: "one"})
	w.report(w.jobToken(id, 1), id, "fail", `{"attempt":1,"exception":{"type":"X"}}`, http.StatusOK)
	w.put(registry.ArtifactKey(id, 1, registry.ArtifactLogs), "one\n")
	f.want(frame{typ: "end", data: "failed"})
}

func TestFollowEndsWithTheClient(t *testing.T) {
	w := newWorld(t)
	srv := httptest.NewServer(w.router)
	id, _ := w.queued()
	w.put(chunkKey(id, 0), "one\n")
	ctx, cancel := context.WithCancel(t.Context())
	f := w.follow(ctx, srv.URL, id, "")
	f.want(frame{id: "4", data: "one"})
	cancel()
	done := make(chan struct{})
	go func() { srv.Close(); close(done) }() // waits for its handlers
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("the handler outlives its client")
	}
}

func TestFollowRefusesAForeignEventID(t *testing.T) {
	w := newWorld(t)
	id, _ := w.queued()
	for _, bad := range []string{"x", "-1"} {
		if rec := w.log(id, "", "Accept", "text/event-stream", "Last-Event-ID", bad); rec.Code != 400 {
			t.Errorf("%q: %d", bad, rec.Code)
		}
	}
}

func TestStreamSplitsLines(t *testing.T) {
	rec := httptest.NewRecorder()
	out := &eventStream{w: rec, rc: http.NewResponseController(rec)}
	long := strings.Repeat("x", maxLine+10)
	for _, piece := range []string{"a\r\nb", "\n\n", "c\rd\n", long, "\n"} {
		if n, err := out.Write([]byte(piece)); n != len(piece) || err != nil {
			t.Fatalf("write: %d, %v", n, err)
		}
	}
	out.flushPartial()
	want := "id: 3\ndata: a\n\nid: 5\ndata: b\n\nid: 6\ndata: \n\nid: 10\ndata: c\ndata: d\n\n"
	got := rec.Body.String()
	if !strings.HasPrefix(got, want) {
		t.Errorf("events %q, want them to begin with %q", got[:min(len(got), 200)], want)
	}
	if out.offset != int64(len("a\r\nb\n\nc\rd\n")+len(long)+1) || strings.Count(got, "x") != len(long) {
		t.Errorf("offset %d after %d long characters", out.offset, strings.Count(got, "x"))
	}
}

func TestConfigListsEveryFault(t *testing.T) {
	_, err := New(Config{MaxAttempts: -1})
	for _, words := range []string{"runs, reports or declared", "bucket or its name", "negative"} {
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("error %v lacks %q", err, words)
		}
	}
}
