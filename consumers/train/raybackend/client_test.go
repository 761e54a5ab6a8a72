package raybackend

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/registry"
)

// against returns a Backend that speaks to a handler.
func against(t *testing.T, h http.HandlerFunc) *Backend {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	b, err := New(Config{URL: s.URL + "/ray", Token: "secret", Classes: map[string]Class{"CPU": {}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// TestOnlyRayKnows: whatever is not Ray's own word leaves a job neither lost nor ended.
func TestOnlyRayKnows(t *testing.T) {
	run := registry.RunID(uuid.New())
	for name, h := range map[string]http.HandlerFunc{
		"proxy's 404":   func(w http.ResponseWriter, _ *http.Request) { http.NotFound(w, nil) },
		"another job's": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "Job x does not exist", 404) },
		"unavailable": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "Job run does not exist", http.StatusServiceUnavailable)
		},
		"login page":     func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") },
		"another API":    func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") },
		"redirect":       func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"endless answer": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.CopyN(w, blanks{}, maxJob+2) },
	} {
		t.Run(name, func(t *testing.T) {
			b := against(t, h)
			if st, err := b.Status(t.Context(), run, 1); err == nil || errors.Is(err, train.ErrNoJob) {
				t.Errorf("status %+v, %v, want an error that is not ErrNoJob", st, err)
			}
			if err := b.Cancel(t.Context(), run, 1); err == nil || errors.Is(err, train.ErrEnding) {
				t.Errorf("cancel: %v, want an error", err)
			}
		})
	}
}

type blanks struct{}

func (blanks) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// TestLostAnswer: a submission that got through and whose answer was lost is no error, and what is sent is what Ray expects.
func TestLostAnswer(t *testing.T) {
	j := train.Job{Run: registry.RunID(uuid.New()), Attempt: 3, ComputeClass: "CPU", Spec: []byte(`{"token":"canary"}`), Deadline: time.Hour, Model: "m"}
	var got submission
	var paths []string
	b := against(t, func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.Method+" "+r.URL.Path[:min(len(r.URL.Path), 14)])
		switch {
		case r.Header.Get("Authorization") != "Bearer secret":
			t.Errorf("authorization %q", r.Header.Get("Authorization"))
		case r.Method == http.MethodPost:
			if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
				t.Error(err)
			}
			http.Error(w, "gone", http.StatusBadGateway)
		case strings.Contains(r.URL.Path, "/packages/"):
			if r.Method == http.MethodGet {
				http.NotFound(w, r)
			}
		case got.ID == "":
			http.Error(w, "Job "+train.JobName(j.Run, 3)+" does not exist", http.StatusNotFound)
		default:
			_ = json.NewEncoder(w).Encode(details{ID: got.ID, Status: statusPending, Metadata: got.Metadata})
		}
	})
	if err := b.Submit(t.Context(), j); err != nil {
		t.Errorf("%v after %v", err, paths)
	}
	if got.CPUs != 1 || got.Metadata[metaDeadline] != "1h0m0s" || got.RuntimeEnv.PyModules != nil || !strings.HasPrefix(got.RuntimeEnv.WorkingDir, "gcs://signalbox_") {
		t.Errorf("submitted %+v", got)
	}
	if text, _ := json.Marshal(got); strings.Contains(string(text), "canary") {
		t.Errorf("the token is where the dashboard shows it: %s", text)
	}
}

// TestGhost: what Ray writes down for a job that was deleted too early is removed, and is no job.
func TestGhost(t *testing.T) {
	run, removed := registry.RunID(uuid.New()), false
	b := against(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			removed = true
			fmt.Fprint(w, `{"deleted":true}`)
			return
		}
		_ = json.NewEncoder(w).Encode(details{ID: train.JobName(run, 1), Status: statusFailed, Entrypoint: "Entrypoint not found."})
	})
	if _, err := b.Status(t.Context(), run, 1); !errors.Is(err, train.ErrNoJob) || !removed {
		t.Errorf("%v, removed %v", err, removed)
	}
}

// TestLogThatRayCannotRead: a node that is gone, or bytes that are no text, must not keep a job for ever.
func TestLogThatRayCannotRead(t *testing.T) {
	run, ended := registry.RunID(uuid.New()), time.Now()
	var b *Backend
	b = against(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/logs") {
			http.Error(w, "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff", http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(details{ID: train.JobName(run, 1), Status: statusSucceeded, Metadata: b.identity(run, 1), End: ended.UnixMilli()})
	})
	if _, err := b.Log(t.Context(), run, 1, 0); err == nil || !strings.Contains(err.Error(), "UnicodeDecodeError") {
		t.Errorf("just ended: %v", err)
	}
	ended = ended.Add(-logPatience - 2*time.Second)
	r, err := b.Log(t.Context(), run, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := io.ReadAll(r); err != nil || len(out) != 0 {
		t.Errorf("log %q, %v", out, err)
	}
}
