package training

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
)

// keys are the objects below a prefix.
func (w *world) keys(prefix string) []string {
	w.t.Helper()
	var out []string
	for attrs, err := range w.bucket.List(w.t.Context(), prefix) {
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, attrs.Key)
	}
	return out
}

func (w *world) chunk(token string, id registry.RunID, kind string, n any, body string) *httptest.ResponseRecorder {
	w.t.Helper()
	return w.do(token, "PUT", fmt.Sprintf("/v1/runs/%s/attempts/1/%s/%v", id, kind, n), body)
}

func (w *world) wantKept(rec *httptest.ResponseRecorder, size int) {
	w.t.Helper()
	if got, want := rec.Body.String(), fmt.Sprintf("{\"bytes\":%d}\n", size); rec.Code != http.StatusOK || got != want {
		w.t.Errorf("%d %s, want %s", rec.Code, got, want)
	}
}

func TestLogChunks(t *testing.T) {
	w := newWorld(t)
	id, token := w.queued()
	w.wantKept(w.chunk(token, id, "log", 0, "one\ntw"), 6)
	w.wantKept(w.chunk(token, id, "log", 0, "one\ntwo\nthree"), 6) // the first one got through and its answer was lost
	w.wantKept(w.chunk(token, id, "log", 1, "o\n\x00\xff"), 4)
	if got := w.log(id, "").Body.String(); got != "one\ntwo\n\x00\xff" {
		t.Errorf("log %q", got)
	}
	if got := w.keys(registry.AttemptPrefix(id, 1)); !slices.Equal(got, []string{train.LogChunkKey(id, 1, 0), train.LogChunkKey(id, 1, 1)}) {
		t.Errorf("keys %q", got)
	}
	w.wantKept(w.chunk(token, id, "log", 2, strings.Repeat("x", 1<<20)), 1<<20)
	w.wantKept(w.chunk(token, id, "log", 1_000_000, "x"), 1)
	for name, tc := range map[string]struct {
		path, body, code string
		status           int
	}{
		"empty":           {"attempts/1/log/3", "", "malformed", 400},
		"too large":       {"attempts/1/log/3", strings.Repeat("x", 1<<20+1), "too_large", 413},
		"too many":        {"attempts/1/log/1000001", "x", "bad_chunk", 400},
		"negative":        {"attempts/1/log/-1", "x", "bad_chunk", 400},
		"no number":       {"attempts/1/log/x", "x", "bad_chunk", 400},
		"attempt 0":       {"attempts/0/log/0", "x", "bad_chunk", 400},
		"no attempt":      {"attempts/x/log/0", "x", "bad_chunk", 400},
		"another attempt": {"attempts/2/log/0", "x", "forbidden", 403},
		"another stream":  {"attempts/1/logs/0", "x", "no_route", 404},
	} {
		rec := w.do(token, "PUT", "/v1/runs/"+id.String()+"/"+tc.path, tc.body)
		if p := want[problem](w, rec, tc.status); p.Code != tc.code {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

// Streams that are full stay as they are, and a chunk that is there is there.
func TestStreamsAreBounded(t *testing.T) {
	w := newWorld(t)
	s, err := New(Config{Runs: w.reg, Reports: w.reg, Declared: w.reg, Bucket: w.bucket, BucketName: "signalbox", MaxLog: 10, MaxSeries: 60})
	if err != nil {
		t.Fatal(err)
	}
	w.serve(s)
	id, token := w.queued()
	w.put(chunkKey(id, 0), "12345") // found, not counted here
	w.wantKept(w.chunk(token, id, "log", 1, "67890"), 5)
	for range 2 {
		p := want[problem](w, w.chunk(token, id, "log", 2, "x"), http.StatusRequestEntityTooLarge)
		if p.Code != "stream_full" || !strings.Contains(p.Detail, "at most 10 bytes") || !strings.Contains(p.Detail, "send no more") {
			t.Errorf("full: %+v", p)
		}
	}
	w.wantKept(w.chunk(token, id, "log", 1, "again"), 5)
	line := `{"name":"a","value":1,"at":"2026-11-23T14:00:00Z"}` + "\n"
	w.wantKept(w.chunk(token, id, "series", 0, line), len(line))
	if p := want[problem](w, w.chunk(token, id, "series", 1, line), 413); p.Code != "stream_full" {
		t.Errorf("full: %+v", p)
	}
	other, token := w.queued()
	w.wantKept(w.chunk(token, other, "log", 0, "another's"), 9)
}

func TestTallyForgetsAndCountsAgain(t *testing.T) {
	w := newWorld(t)
	var c tally
	w.put("runs/0/a", "12345")
	for i := range maxTallied + 1 {
		if n, err := c.of(t.Context(), w.bucket, fmt.Sprintf("runs/%d/", i)); err != nil || (n == 5) != (i == 0) {
			t.Fatalf("prefix %d has %d bytes, %v", i, n, err)
		}
	}
	c.add("runs/0/", 7) // not counted any more
	if n, err := c.of(t.Context(), w.bucket, "runs/0/"); err != nil || n != 5 {
		t.Errorf("counted again: %d, %v", n, err)
	}
	if c.add("runs/0/", 7); c.bytes["runs/0/"] != 12 || len(c.bytes) > maxTallied {
		t.Errorf("tally of %d prefixes has %d bytes", len(c.bytes), c.bytes["runs/0/"])
	}
}

// How an attempt died is in its last words, which come after its run has moved on; a job that goes on and on is told.
func TestLastWordsOfAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		id, token := w.queued()
		w.report(token, id, "start", `{"attempt":1,"executor":"pod"}`, http.StatusOK)
		if _, err := w.reg.RetryRun(t.Context(), id, 1, "", "OutOfMemory"); err != nil {
			t.Fatal(err)
		}
		w.wantKept(w.chunk(token, id, "log", 0, "Killed\n"), 7)
		w.report(token, id, "progress", `{"attempt":1,"step":"fetch"}`, http.StatusConflict)
		time.Sleep(lastWords)
		want[problem](w, w.chunk(token, id, "log", 1, "still here\n"), http.StatusConflict)

		cancelled, token := w.queued()
		w.report(token, cancelled, "start", `{"attempt":1,"executor":"pod"}`, http.StatusOK)
		if _, err := w.reg.CancelRun(t.Context(), cancelled, ""); err != nil {
			t.Fatal(err)
		}
		path := "/v1/runs/" + cancelled.String() + "/attempts/1/log/0"
		if got := w.by("other", token, "PUT", path, "x"); got != http.StatusConflict {
			t.Errorf("last words of somebody else: %d", got)
		}
		if got := w.by("pod", token, "PUT", path, "Terminated\n"); got != http.StatusOK {
			t.Errorf("last words: %d", got)
		}
		if got := w.log(id, "?attempt=1").Body.String(); got != "Killed\n" {
			t.Errorf("log %q", got)
		}
	})
}

// The whole log is what the chunks are; who follows sees them come.
func TestFollowASentLog(t *testing.T) {
	w := newWorld(t)
	srv := httptest.NewServer(w.router)
	defer srv.Close()
	id, token := w.queued()
	f := w.follow(t.Context(), srv.URL, id, "")
	w.wantKept(w.chunk(token, id, "log", 0, "one\n"), 4)
	f.want(frame{id: "4", data: "one"})
	w.wantKept(w.chunk(token, id, "log", 1, "two\n"), 4)
	f.want(frame{id: "8", data: "two"})
	w.report(token, id, "fail", `{"attempt":1,"exception":{"type":"X"}}`, http.StatusOK)
	w.wantKept(w.chunk(token, id, "log", 2, "three\n"), 6)
	f.want(frame{id: "14", data: "three"})
	w.put(registry.ArtifactKey(id, 1, registry.ArtifactLogs), "one\ntwo\nthree\n")
	f.want(frame{typ: "end", data: "failed"})
}

// A job's streams are its own: no artifact can take their place.
func TestStreamsAreNoArtifacts(t *testing.T) {
	w := newWorld(t)
	id, token := w.queued()
	for _, name := range []string{seriesDir, registry.LogDir, train.StepDir} {
		body := fmt.Sprintf(`{"attempt":1,"artifacts":[{"name":%q,"digest":%q,"size":1}]}`, name, w.dataset.ID)
		if rec := w.do(token, "POST", "/v1/runs/"+id.String()+"/artifacts", body); rec.Code != http.StatusUnprocessableEntity {
			t.Errorf("artifact %s: %d", name, rec.Code)
		}
	}
	if _, err := w.bucket.Stat(t.Context(), registry.AttemptPrefix(id, 1)+seriesDir); err == nil {
		t.Error(bucket.ErrExists)
	}
	if rec := w.chunk(w.tokens[auth.Admin], id, "log", 0, "x"); rec.Code != http.StatusForbidden {
		t.Errorf("a person's chunk: %d", rec.Code)
	}
}
