package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// row is one line of the table. A ratio of 0 has none to show.
type row struct {
	goal, what             string
	numerator, denominator string
	ratio                  float64
	limit                  string // what the goal asks for; empty: nothing
	met                    bool
}

// report is what a run of the benchmark says.
type report struct {
	at      time.Time
	machine string
	loads   []string
	rows    []row
	notes   []string
}

func newReport(at time.Time) *report { return &report{at: at, machine: machine()} }

// load notes how busy the machine is before a measurement: figures of a busy one are provisional.
func (r *report) load(name string) {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return
	}
	if f := strings.Fields(string(b)); len(f) >= 2 {
		r.loads = append(r.loads, fmt.Sprintf("%s %s", name, f[0]))
	}
}

// add keeps a row, and prints it at once: the next measurement may take minutes.
func (r *report) add(rows ...row) {
	for _, w := range rows {
		r.rows = append(r.rows, w)
		fmt.Fprintln(os.Stderr, w)
	}
}

// note keeps a sentence that belongs under the table.
func (r *report) note(format string, args ...any) {
	n := fmt.Sprintf(format, args...)
	r.notes = append(r.notes, n)
	fmt.Fprintln(os.Stderr, n)
}

// String is a line of the table.
func (w row) String() string {
	ratio, goal := "", ""
	if w.ratio != 0 {
		ratio = fmt.Sprintf("%.2f", w.ratio)
	}
	if w.limit != "" {
		goal = w.limit + ": missed"
		if w.met {
			goal = w.limit + ": met"
		}
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s |", w.goal, w.what, w.numerator, w.denominator, ratio, goal)
}

// markdown is the whole report.
func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Training, %s\n\n`%s`\n\nMachine: %s. Load average before each: %s.\n\n", r.at.Format(time.DateOnly),
		"go run ./deploy/bench/training "+strings.Join(os.Args[1:], " "), r.machine, strings.Join(r.loads, ", "))
	b.WriteString("| goal | what | numerator | denominator | ratio | asked |\n|---|---|---|---|---|---|\n")
	for _, w := range r.rows {
		fmt.Fprintln(&b, w)
	}
	for _, n := range r.notes {
		fmt.Fprintf(&b, "\n%s\n", n)
	}
	return b.String()
}

// machine is one line about where this runs.
func machine() string {
	model := "unknown processor"
	if v := procField("/proc/cpuinfo", "model name"); v != "" {
		model = v
	}
	return fmt.Sprintf("%d cores of %s, memory %s, %s/%s, %s", runtime.NumCPU(), model, procField("/proc/meminfo", "MemTotal"),
		runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// procField returns the first value of a key in a file of /proc, or nothing.
func procField(path, key string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if k, v, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}
