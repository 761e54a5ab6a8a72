package compile

import (
	"fmt"
	"strings"
	"time"
)

// quote writes a name. The check has seen that it holds no quotes.
func quote(name string) string { return `"` + name + `"` }

// literal writes a string.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// instant writes a time to the microsecond, which is all that the archive keeps.
func instant(t time.Time) string {
	return "TIMESTAMPTZ '" + t.UTC().Format("2006-01-02 15:04:05.000000") + "+00'"
}

// selects writes a user's columns, each in parentheses that CheckExpression has seen it cannot leave.
func selects(columns map[string]string) string {
	var b strings.Builder
	for _, name := range sorted(columns) {
		fmt.Fprintf(&b, ",\n  (%s) AS %s", columns[name], quote(name))
	}
	return b.String()
}

// and writes a user's condition as a further one.
func and(where string) string {
	if where == "" {
		return ""
	}
	return "\n    AND (" + where + ")"
}

func names(fields []string) string {
	var b strings.Builder
	for _, f := range fields {
		b.WriteString(", " + quote(f))
	}
	return b.String()
}

func sourceTable(name string) string { return quote("source " + name) }

func featureTable(i int) string { return quote(fmt.Sprintf("feature %d", i+1)) }
