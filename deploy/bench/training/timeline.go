package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// timeline is where the time of one run went, in seconds.
type timeline struct {
	parts   []part
	whole   float64 // requested to complete
	trained float64 // of that, step train
}

type part struct {
	name    string
	seconds float64
}

// stamp is a line of a job's log.
type stamp struct {
	at   time.Time
	text string
}

// timeline waits for the end of a run and reads what its history, the stack's log and the job's log say of it. Their
// clocks are one machine's.
func (s *stack) timeline(ctx context.Context, id string) (timeline, error) {
	var run runDoc
	err := until(ctx, "the end of run "+id, func() (bool, error) {
		var err error
		run, err = s.run(ctx, id)
		if run.State == "failed" || run.State == "cancelled" {
			return false, fmt.Errorf("run %s is %s: its log says why", id, run.State)
		}
		return run.State == "complete", err
	})
	if err != nil {
		return timeline{}, err
	}
	submitted, err := s.submitted(id)
	if err != nil {
		return timeline{}, err
	}
	log, err := s.jobLog(ctx, id)
	if err != nil {
		return timeline{}, err
	}
	return assemble(run.Created, submitted, run.at("complete"), parseStamps(log))
}

// assemble cuts the time between a run's request and its end at the lines that its job wrote.
func assemble(requested, submitted, complete time.Time, lines []stamp) (timeline, error) {
	t := timeline{whole: complete.Sub(requested).Seconds()}
	cuts := []struct{ name, begins string }{
		{"interpreter and imports", ""}, // begins with the process
		{"claim, workflow's imports", "run "},
		{"fetch", "step fetch"}, {"preprocess", "step preprocess"}, {"train", "step train"}, {"serialize and golden check", "step serialize"},
		{"score", "step score"}, {"publish", "step publish"}, {"records and completing", "step publish took"},
	}
	at := submitted
	t.parts = append(t.parts, part{"requested to process start", submitted.Sub(requested).Seconds()})
	next := 0
	for i := range cuts {
		end := complete
		if i+1 < len(cuts) {
			for next < len(lines) && !strings.HasPrefix(lines[next].text, cuts[i+1].begins) {
				next++
			}
			if next == len(lines) {
				return timeline{}, fmt.Errorf("the job's log has no line %q", cuts[i+1].begins)
			}
			end = lines[next].at
		}
		t.parts = append(t.parts, part{cuts[i].name, end.Sub(at).Seconds()})
		if cuts[i].name == "train" {
			t.trained = end.Sub(at).Seconds()
		}
		at = end
	}
	return t, nil
}

// parseStamps reads the lines of a job's log that begin with a time; those of the workflow's own output do not.
func parseStamps(log []byte) []stamp {
	var out []stamp
	lines := bufio.NewScanner(bytes.NewReader(log))
	for lines.Scan() {
		f := strings.SplitN(lines.Text(), " ", 3)
		if len(f) < 3 {
			continue
		}
		if at, err := time.Parse(time.RFC3339Nano, f[0]); err == nil {
			out = append(out, stamp{at, strings.TrimSpace(f[2])})
		}
	}
	return out
}

// jobLog is the log of a run. The rest of it is kept a moment after the run's end; the very last line may be lost with the
// process, which is ended once the run is.
func (s *stack) jobLog(ctx context.Context, id string) ([]byte, error) {
	var log []byte
	err := until(ctx, "the log of run "+id, func() (bool, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Control+"/v1/runs/"+id+"/logs", nil)
		if err != nil {
			return false, err
		}
		req.Header.Set("Authorization", "Bearer "+s.Token)
		resp, err := s.HTTP.Do(req)
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		if log, err = io.ReadAll(resp.Body); err != nil {
			return false, err
		}
		return bytes.Contains(log, []byte("step publish took")), nil
	})
	return log, err
}

// submitted is when the stack had started the process of a run, by its own log.
func (s *stack) submitted(id string) (time.Time, error) {
	f, err := os.Open(s.logFile)
	if err != nil {
		return time.Time{}, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			Time  time.Time `json:"time"`
			Msg   string    `json:"msg"`
			RunID string    `json:"run_id"`
		}
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "job submitted" && line.RunID == id {
			return line.Time, nil
		}
	}
	return time.Time{}, fmt.Errorf("the stack's log does not tell of the job of run %s: %w", id, lines.Err())
}
