// Package figures is what every benchmark reports with: ratios in a table, medians, and what the kernel knows of a process.
package figures

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Row is one line of the table. A ratio of 0 has none to show.
type Row struct {
	Goal, What             string
	Numerator, Denominator string
	Ratio                  float64
	Limit                  string // what the goal asks for; empty: nothing
	Met                    bool
}

// Report is what a run of a benchmark says.
type Report struct {
	title   string
	command string
	at      time.Time
	machine string
	loads   []string
	rows    []Row
	notes   []string
}

// NewReport begins one; command is how to get it again.
func NewReport(title, command string, at time.Time) *Report {
	return &Report{title: title, command: command, at: at, machine: machine()}
}

// Load notes how busy the machine is before a measurement: figures of a busy one are provisional.
func (r *Report) Load(name string) {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return
	}
	if f := strings.Fields(string(b)); len(f) >= 2 {
		r.loads = append(r.loads, fmt.Sprintf("%s %s", name, f[0]))
	}
}

// Add keeps a row, and prints it at once: the next measurement may take minutes.
func (r *Report) Add(rows ...Row) {
	for _, w := range rows {
		r.rows = append(r.rows, w)
		fmt.Fprintln(os.Stderr, w)
	}
}

// Note keeps a sentence that belongs under the table.
func (r *Report) Note(format string, args ...any) {
	n := fmt.Sprintf(format, args...)
	r.notes = append(r.notes, n)
	fmt.Fprintln(os.Stderr, n)
}

// String is a line of the table.
func (w Row) String() string {
	ratio, goal := "", ""
	if w.Ratio != 0 {
		ratio = fmt.Sprintf("%.2f", w.Ratio)
	}
	if w.Limit != "" {
		goal = w.Limit + ": missed"
		if w.Met {
			goal = w.Limit + ": met"
		}
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s |", w.Goal, w.What, w.Numerator, w.Denominator, ratio, goal)
}

// Markdown is the whole report.
func (r *Report) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s, %s\n\n`%s`\n\nMachine: %s. Load average before each: %s.\n\n", r.title, r.at.Format(time.DateOnly), r.command,
		r.machine, strings.Join(r.loads, ", "))
	b.WriteString("| goal | what | numerator | denominator | ratio | asked |\n|---|---|---|---|---|---|\n")
	for _, w := range r.rows {
		fmt.Fprintln(&b, w)
	}
	for _, n := range r.notes {
		fmt.Fprintf(&b, "\n%s\n", n)
	}
	return b.String()
}

// Publish prints the report and, with a directory, writes it there under name and the day.
func (r *Report) Publish(dir, name string) error {
	text := r.Markdown()
	fmt.Print(text)
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+"-"+r.at.Format(time.DateOnly)+".md"), []byte(text), 0o644)
}
