package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/signalbox-ml/signalbox/registry"
)

const (
	formatText = "text"
	formatJSON = "json"
)

// format is the value of --output.
type format string

// Set implements pflag.Value.
func (f *format) Set(v string) error {
	if v != formatText && v != formatJSON {
		return fmt.Errorf("want %s or %s", formatText, formatJSON)
	}
	*f = format(v)
	return nil
}

// String implements pflag.Value.
func (f *format) String() string { return string(*f) }

// Type implements pflag.Value.
func (f *format) Type() string { return "format" }

// print writes v as JSON, or what text says for people.
func (s *session) print(v any, text func(t *table)) error {
	if s.output == formatJSON {
		return s.json(v)
	}
	t := &table{w: tabwriter.NewWriter(s.stdout, 0, 0, 3, ' ', 0)}
	text(t)
	return t.w.Flush()
}

func (s *session) json(v any) error {
	e := json.NewEncoder(s.stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// table is aligned columns. A write that fails shows in the flush.
type table struct{ w *tabwriter.Writer }

// row adds a line of cells.
func (t *table) row(cells ...any) {
	for i, c := range cells {
		if i > 0 {
			_, _ = io.WriteString(t.w, "\t")
		}
		_, _ = io.WriteString(t.w, cell(c))
	}
	_, _ = io.WriteString(t.w, "\n")
}

// lines adds a row whose last cell may have several lines.
func (t *table) lines(verdict, name, detail string) {
	first, rest, _ := strings.Cut(strings.TrimRight(detail, "\n"), "\n")
	t.row(verdict, name, first)
	for l := range strings.Lines(rest) {
		t.row(" ", " ", "  "+strings.TrimRight(l, "\n"))
	}
}

// facts adds lines of a name and a value, those without a value left out.
func (t *table) facts(pairs ...any) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if text := cell(pairs[i+1]); text != none {
			t.row(pairs[i], text)
		}
	}
}

// none stands for a value that is not there.
const none = "-"

func cell(v any) string {
	switch v := v.(type) {
	case time.Time:
		if v.IsZero() {
			return none
		}
		return v.UTC().Format(time.RFC3339)
	case interface{ IsZero() bool }:
		if v.IsZero() {
			return none
		}
	}
	if text := plain(fmt.Sprint(v)); text != "" {
		return text
	}
	return none
}

// plain makes control characters visible: what others wrote must neither break a table nor command a terminal.
func plain(s string) string {
	if !strings.ContainsFunc(s, unicode.IsControl) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unicode.IsControl(r) {
			fmt.Fprintf(&b, "\\u%04x", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// arms says where a tag points, in full weights or percent.
func arms(list []registry.Arm) string {
	if len(list) == 1 {
		return list[0].Package.String()
	}
	words := make([]string, len(list))
	for i, a := range list {
		words[i] = fmt.Sprintf("%s %g%%", a.Package, float64(a.Weight)/100)
	}
	return strings.Join(words, ", ")
}
