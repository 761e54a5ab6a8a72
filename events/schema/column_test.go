package schema

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestColumns(t *testing.T) {
	s := compile(t, `{"required":["price","at"],"$defs":{"text":{"type":["string","null"]}},"properties":{
		"price":{"type":"number","x-signalbox-column":"unit_price"},
		"at":{"type":"string","format":"date-time","x-signalbox-column":true},
		"note":{"$ref":"#/$defs/text","x-signalbox-column":"zz"},
		"day":{"type":["null","string"],"format":"date","x-signalbox-column":true},
		"mail":{"type":"string","format":"email","x-signalbox-column":true},
		"late":{"type":"boolean","x-signalbox-column":true},
		"count":{"type":["integer","null"],"x-signalbox-column":"aa"},
		"either":{"type":["integer","number"],"x-signalbox-column":true},
		"code":{"type":"integer","x-signalbox-column":false},"plain":{"type":"string"}}}`)
	want := []Column{
		{"aa", "count", ColumnInteger},
		{"at", "at", ColumnTimestamp},
		{"day", "day", ColumnDate},
		{"either", "either", ColumnNumber},
		{"late", "late", ColumnBoolean},
		{"mail", "mail", ColumnText},
		{"unit_price", "price", ColumnNumber},
		{"zz", "note", ColumnText},
	}
	if got := s.Columns(); !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestColumnKindNames(t *testing.T) {
	kinds := []ColumnKind{0, ColumnBoolean, ColumnInteger, ColumnNumber, ColumnText, ColumnTimestamp, ColumnDate, ColumnDate + 1}
	if got := fmt.Sprint(kinds); got != "[ boolean integer number text timestamp date ]" {
		t.Error(got)
	}
}

// TestColumnsRefused has what a member may not ask for.
func TestColumnsRefused(t *testing.T) {
	const at = "/properties/a/x-signalbox-column: "
	for member, want := range map[string]string{
		`{"x-signalbox-column":true}`:                                 at + "a column has one type",
		`{"type":"array","x-signalbox-column":true}`:                  at + "a column has one type",
		`{"type":"object","x-signalbox-column":true}`:                 at + "a column has one type",
		`{"type":"null","x-signalbox-column":true}`:                   at + "a column has one type",
		`{"type":["string","number"],"x-signalbox-column":true}`:      at + "a column has one type",
		`{"type":"string","x-signalbox-column":7}`:                    at + "want true, false or the name",
		`{"type":"string","x-signalbox-column":"B"}`:                  at + `"B" is no name of a column`,
		`{"type":"string","x-signalbox-column":""}`:                   at + `"" is no name of a column`,
		`{"type":"string","x-signalbox-column":"b"}`:                  "/properties/b/x-signalbox-column: another member has the column \"b\": name them apart",
		`{"type":"array","items":{"x-signalbox-column":true}}`:        "/properties/a/items/x-signalbox-column: \"x-signalbox-column\": it is for members of the top level only",
		`{"properties":{"c":{"type":"null","x-signalbox-column":1}}}`: "/properties/a/properties/c/x-signalbox-column: \"x-signalbox-column\": it is for members of the top level only",
	} {
		_, err := Compile([]byte(`{"properties":{"a":` + member + `,"b":{"type":"string","x-signalbox-column":true}}}`))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", member, err, want)
		}
	}
}

// TestColumnsOfTheArchive: no column is called as one that the files have already, or may have later.
func TestColumnsOfTheArchive(t *testing.T) {
	compiles := func(name string) error {
		_, err := Compile([]byte(`{"properties":{"` + name + `":{"type":"string","x-signalbox-column":true}}}`))
		return err
	}
	for _, name := range []string{
		"kafka_partition", "kafka_offset", "kafka_ts", "kafka_key", "kafka_x", "ce_id", "ce_time", "ce_x", "data", "data_bytes", "data_x", "value",
		"header", "headers", "header_order", "header_x", "traceparent", "tracestate", "signalbox_x", "topic", "type", "date", "hour",
	} {
		err := compiles(name)
		if err == nil || !strings.Contains(err.Error(), `"`+name+`" is a name that the archive keeps for itself: write another one, such as "my_`+name+`"`) {
			t.Errorf("%s: %v", name, err)
		}
		if err := compiles("my_" + name); err != nil {
			t.Errorf("my_%s: %v", name, err)
		}
	}
	for _, name := range []string{"kafka", "ce", "price", "database", "values", "headway", "signalbox", "types", "date_of_birth", "hours"} {
		if err := compiles(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestColumnsAreBounded(t *testing.T) {
	many := func(n int) error {
		var members []string
		for i := range n {
			members = append(members, fmt.Sprintf(`"m%d":{"type":"integer","x-signalbox-column":true}`, i))
		}
		_, err := Compile([]byte(`{"properties":{` + strings.Join(members, ",") + `}}`))
		return err
	}
	if err := many(maxColumns); err != nil {
		t.Error(err)
	}
	if err := many(maxColumns + 1); err == nil || !strings.Contains(err.Error(), "more than 100 columns: ask for those") {
		t.Errorf("%v", err)
	}
}
