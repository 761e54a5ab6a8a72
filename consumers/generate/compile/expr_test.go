package compile

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckExpression(t *testing.T) {
	for _, sql := range []string{
		"delay", "delay >= 15", "coalesce(a, b) / 2.5e3", "(a + b) * c % 7", "a::DOUBLE", "a[1:2]", "{'k': a}",
		"extract(hour FROM scheduled AT TIME ZONE 'America/New_York')", "CASE WHEN a THEN 'it''s; -- fine' ELSE \"b\" END",
		"trim(both 'x' FROM name)", "a IS DISTINCT FROM b", "date_diff('minute', event_time, spine_time)",
		"list_transform([1, 2], lambda x: x + a)", "a IN (1, 2)", "name LIKE '%(%'", "DATE '2013-01-01'", "\"user\" = 'x'",
		"age > 18", "version || now", "a - -b", "a*b*(c * d)", "[a]*2", "x = (a)",
	} {
		if err := CheckExpression(sql); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
	for name, sql := range map[string]string{
		"nothing":                "  ",
		"second statement":       "1; DROP TABLE x",
		"line comment":           "a -- b",
		"block comment":          "a /* b */",
		"comment after minus":    "a--b",
		"closes ours":            "1) OR (1=1",
		"wrong bracket":          "[a)",
		"left open":              "(a",
		"string left open":       "'a",
		"name left open":         `"a`,
		"escape string":          `E'\'; DROP TABLE x --'`,
		"escape string, lower":   `e'\''`,
		"dollar string":          "$$a$$",
		"parameter":              "?",
		"position":               "#1",
		"backslash":              `a \ b`,
		"letters beyond ASCII":   "ａ + 1",
		"internal column":        `"#row"`,
		"quote in a quoted name": `"a""b"`,
		"subquery":               "(SELECT max(delay) FROM arrived)",
		"subquery, spread out":   "( \n sElEcT 1)",
		"from first":             "(FROM arrived)",
		"values":                 "(VALUES (1))",
		"with":                   "a IN (WITH x AS (FROM y) FROM x)",
		"table":                  "(TABLE arrived)",
		"exists":                 "exists (FROM arrived)",
		"array of a query":       "ARRAY(FROM arrived)",
		"window":                 "max(delay) OVER ()",
		"random":                 "random()",
		"random, quoted":         `"random" ()`,
		"now":                    "now ( )",
		"keyword time":           "CURRENT_TIMESTAMP",
		"age of now":             "age(born)",
		"settings":               "current_setting('temp_directory')",
		"rows":                   "unnest([1, 2])",
		"columns":                "COLUMNS(x)",
		"all columns":            "*",
		"all of a table":         "t . *",
		"all as arguments":       "struct_pack(a, *)",
		"any of a list":          "a = ANY ([1, 2])",
		"too long":               strings.Repeat("a+", 3000) + "a",
	} {
		if err := CheckExpression(sql); !errors.Is(err, ErrExpression) {
			t.Errorf("%s: %.60s: err = %v, want ErrExpression", name, sql, err)
		}
	}
}

func FuzzCheckExpression(f *testing.F) {
	for _, sql := range []string{"a + 1", "'it''s'", `"x"(1)`, "(a", "E'\\''", "a--b", "\xff", "[{(1)}]"} {
		f.Add(sql)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		if CheckExpression(sql) != nil {
			return
		}
		// Whatever is allowed stays within the parentheses that Compile puts around it.
		if err := CheckExpression("(" + sql + ")"); err != nil && len(sql) < maxExpression-1 {
			t.Errorf("%q is allowed, but not in parentheses: %v", sql, err)
		}
		if strings.ContainsAny(sql, "\\$#?") && !strings.Contains(sql, "'") {
			t.Errorf("%q is allowed", sql)
		}
	})
}
