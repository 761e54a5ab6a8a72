package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/evaluate"
	"github.com/signalbox-ml/signalbox/deploy/examples/flights"
)

// screen prints what happens. On a terminal the progress line is rewritten in place.
type screen struct {
	begun time.Time
	last  time.Time
	dirty bool // a progress line stands unfinished
}

func (s *screen) line(format string, args ...any) {
	if s.dirty {
		fmt.Print("\r\033[K")
		s.dirty = false
	}
	fmt.Printf(format+"\n", args...)
}

func (s *screen) step(name, format string, args ...any) {
	s.line("%-10s %s", name, fmt.Sprintf(format, args...))
}

func (s *screen) opening(hs []flights.Happening, p flights.Plan) {
	s.line("Signalbox: flights out of New York City, 2013\n")
	s.step("input", "%s events, %s to %s", thousands(len(hs)), hs[0].Known.Format("2 Jan"), p.End.Format("2 Jan 2006"))
	s.step("plan", "retrain after every %d days (%d times), then predict what is left", int(p.Every.Hours()/24), p.Loops)
}

func (s *screen) applied(dir, out string) {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	s.step("specs", "%s", lines[0])
	for _, l := range lines[1:] {
		s.step("", "%s", l)
	}
	s.step("", "(read them in %s)", dir)
}

// progress returns what Replay calls after each batch.
func (s *screen) progress(r *flights.Replay) func([]flights.Happening, []flights.Receipt) {
	info, err := os.Stdout.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	s.begun = time.Now()
	return func(batch []flights.Happening, _ []flights.Receipt) {
		every := 200 * time.Millisecond
		if !terminal {
			every = 5 * time.Second
		}
		if time.Since(s.last) < every {
			return
		}
		s.last = time.Now()
		sent, of := r.Count()
		text := fmt.Sprintf("%-10s %s of %s events acknowledged, it is %s", "replay", thousands(sent), thousands(of),
			batch[len(batch)-1].Known.Format("Mon 2 Jan 15:04"))
		if terminal {
			fmt.Print("\r\033[K" + text)
			s.dirty = true
			return
		}
		s.line("%s", text)
	}
}

func (s *screen) turn(k int, t flights.Stages) {
	s.line("")
	s.step(fmt.Sprintf("loop %d", k), "flights up to %s", t.Window.Format("2 January"))
	at := func(what string, when time.Time, detail string) {
		s.line("  %+7.2f s  %-14s %s", when.Sub(t.LastEvent).Seconds(), what, detail)
	}
	at("last event", t.LastEvent, "acknowledged by the log")
	at("dataset.ready", t.DatasetReady, fmt.Sprintf("%s rows, %s", thousands(int(t.Rows)), short(t.Dataset)))
	at("run started", t.Started, t.Run)
	at("run succeeded", t.Trained, "package "+short(t.Package))
	at("evaluated", t.Evaluated, t.Decision+": "+first(t.Reasons))
	if t.Decision == "promote" {
		at("tag moved", t.Promoted, fmt.Sprintf("%s is generation %d", flights.TagName, t.Generation))
		at("serving", t.Serving, "the new model answers")
	}
	for _, who := range []string{evaluate.Candidate, evaluate.Champion, evaluate.Baseline} {
		if m, ok := t.Metrics[who]; ok {
			s.line("             %-10s auc %.4f%s", who, m[evaluate.AUC], optional("  log loss %.4f", m, evaluate.LogLoss))
		}
	}
	s.line("")
}

func (s *screen) quality(q flights.Quality, turns int) {
	s.line("")
	s.step("predict", "%s flights that no model has seen, asked by tag at departure; %s arrived late (%.1f %%)",
		thousands(q.Flights), thousands(q.Late), 100*float64(q.Late)/float64(max(q.Flights, 1)))
	s.line("  %-34s %8s %10s %10s", "", "auc", "accuracy", "log loss")
	s.line("  %-34s %8.4f %9.2f%% %10.4f", flights.TagName, q.Model[evaluate.AUC], 100*q.Model[evaluate.Accuracy], q.Model[evaluate.LogLoss])
	s.line("  %-34s %8.4f %9.2f%% %10s", "naive: left late, so arrives late", q.Naive[evaluate.AUC], 100*q.Naive[evaluate.Accuracy], "")
	s.line("  one prediction over HTTP took %.2f ms at the median, %.2f ms at the 99th percentile", millis(q.P50), millis(q.P99))
}

func (s *screen) lineage(l flights.Lineage, f flights.Forecast) {
	s.line("")
	truth := "arrived on time"
	if f.Late() {
		truth = fmt.Sprintf("arrived %.0f minutes late", f.Flight.ArrivalDelay)
	}
	s.step("lineage", "of prediction %s", l.Prediction.ID)
	s.line("  prediction  %.3f that %s is late; it %s", f.Answer.Probability, f.Flight.ID, truth)
	s.line("  event       %s/%d/%d", l.Prediction.Topic, l.Prediction.Partition, l.Prediction.Offset)
	s.line("  package     %s", l.Prediction.Package)
	s.line("  run         %s", l.Package.Run.ID)
	s.line("  dataset     %s, %s rows", l.Package.Dataset.ID, thousands(int(l.Package.Dataset.Rows)))
	var rows int64
	for _, src := range l.Package.Sources {
		rows += src.Rows
	}
	s.line("  archive     %d files, %s rows, such as", len(l.Package.Sources), thousands(int(rows)))
	for _, src := range l.Package.Sources[:min(1, len(l.Package.Sources))] {
		s.line("              %s/%d offsets [%s, %s)", src.Topic, src.Partition, thousands(int(src.Start)), thousands(int(src.End)))
		s.line("              %s", src.Key)
	}
}

func (s *screen) next(data, bin string, f flights.Forecast, took time.Duration) {
	s.line("\ndone in %.1f s; the state is in %s. Go on with it:\n", took.Seconds(), data)
	bin = nearby(bin)
	for _, l := range [][2]string{
		{bin + " up --data " + data, "in another terminal, until Ctrl-C"},
		{"export SIGNALBOX_DATA=" + data, ""},
		{bin + " tag history " + flights.TagName, "who promoted what, and why"},
		{bin + " runs ls", "then: runs logs RUN"},
		{bin + " lineage " + f.Answer.PredictionID, "where a number comes from"},
		{"eval \"$(" + bin + " env)\"", `then psql "$DATABASE_URL", the AWS CLI, DuckDB, kcat`},
	} {
		if l[1] == "" {
			s.line("  %s", l[0])
			continue
		}
		s.line("  %-60s # %s", l[0], l[1])
	}
}

// nearby shortens a path below the working directory to what one would type.
func nearby(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(here, path); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return path
}

func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func short(digest string) string {
	if len(digest) > 19 {
		return digest[:19] + "…"
	}
	return digest
}

func first(s []string) string {
	if len(s) == 0 {
		return ""
	}
	return s[0]
}

func optional(format string, m map[string]float64, key string) string {
	if v, ok := m[key]; ok {
		return fmt.Sprintf(format, v)
	}
	return ""
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
