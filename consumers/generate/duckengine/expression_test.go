//go:build cgo

package duckengine_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/consumers/generate/compile"
)

// statement is what DuckDB's parser makes of a SELECT.
type statement struct {
	Error      bool `json:"error"`
	Statements []struct {
		Node struct {
			SelectList []json.RawMessage `json:"select_list"`
			Where      json.RawMessage   `json:"where_clause"`
			From       struct {
				Type  string `json:"type"`
				Table string `json:"table_name"`
			} `json:"from_table"`
		} `json:"node"`
	} `json:"statements"`
}

// notOneRow are the classes of expressions that see more than their row.
var notOneRow = regexp.MustCompile(`"class":\s*"(SUBQUERY|WINDOW|PARAMETER|POSITIONAL_REFERENCE)"`)

// The compiler's reading of an expression against that of the parser that will run it: whatever the first allows is one
// expression for the second, or an error.
func FuzzExpressionIsOne(f *testing.F) {
	for _, sql := range []string{
		"a", "a + 1", "it''s", "'a' || b", "(a)", "a) FROM u WHERE (b", "a; SELECT 1", "a -- ", "E'\\'' || a || '", "(SELECT 1)",
		"(FROM u)", "sum(a) OVER (ORDER BY b)", "CASE WHEN a THEN 1 ELSE 2 END", "list_transform([a], lambda x: x)", "a IN (1, 2)",
		"COLUMNS(*)", "[x for x in [a]]", "a::INTEGER[]", "{'k': a}['k']", "\"a\" = 'b' AND NOT c", "exists(FROM u)", "$1", "#1", "?",
		"extract(hour FROM a AT TIME ZONE 'UTC')", "a[1:2]", "x'ff'", "U&'\\0061'", "a.b.c", "@a", "a !~~ 'b'", "ALL (VALUES (1))",
		"*", "a.*", "0** *", "a = ANY([1])", "CAST(a AS STRUCT(b INTEGER))", "count(DISTINCT a ORDER BY b)", "a COLLATE nocase",
	} {
		f.Add(sql)
	}
	db := open(f)
	f.Fuzz(func(t *testing.T, sql string) {
		if compile.CheckExpression(sql) != nil {
			return
		}
		var text string
		query := fmt.Sprintf("SELECT (%s) AS x FROM t WHERE (true)\n AND (%s)", sql, sql)
		if err := db.QueryRow("SELECT json_serialize_sql(?::VARCHAR)::VARCHAR", query).Scan(&text); err != nil {
			return // text that is no UTF-8, and the like
		}
		var s statement
		if err := json.Unmarshal([]byte(text), &s); err != nil || s.Error {
			return
		}
		if len(s.Statements) != 1 {
			t.Fatalf("%q makes %d statements", sql, len(s.Statements))
		}
		node := s.Statements[0].Node
		if len(node.SelectList) != 1 || node.From.Type != "BASE_TABLE" || node.From.Table != "t" || len(node.Where) == 0 {
			t.Fatalf("%q leaves its parentheses: %s", sql, text)
		}
		if !strings.Contains(string(node.SelectList[0]), `"alias":"x"`) {
			t.Fatalf("%q takes the column's name: %s", sql, text)
		}
		var item struct{ Class string }
		if err := json.Unmarshal(node.SelectList[0], &item); err != nil || item.Class == "STAR" {
			t.Fatalf("%q is many columns", sql)
		}
		if bad := notOneRow.FindString(text); bad != "" {
			t.Fatalf("%q is %s", sql, bad)
		}
	})
}
