package compat

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/events/schema"
)

// members is an object that declares what props says.
func members(props, rest string) string {
	return `{"type":"object","properties":{` + props + `}` + rest + `}`
}

func TestCompare(t *testing.T) {
	for name, c := range map[string]struct {
		earlier, later string
		want           []string // pointer, and a part of what is said; each fault
	}{
		"the same in other words": {
			members(`"a":{"type":["null","integer"],"minimum":1,"minLength":3},"b":{"enum":["x",1]},"c":{"const":null},"d":{}`, `,"additionalProperties":{}`),
			`{"$defs":{"a":{"minimum":1.0,"type":["integer","null"]}},"properties":{"d":true,"c":{"type":"null"},"b":{"description":"x or 1","enum":[1.0,"x"]},"a":{"$ref":"#/$defs/a"}},"type":"object"}`, nil,
		},
		"an optional member":           {members(`"a":{}`, ``), members(`"a":{},"b":{"type":"string"}`, ``), nil},
		"a deep optional member":       {members(`"a":{"type":"array","items":`+members(`"x":{}`, ``)+`}`, ``), members(`"a":{"type":"array","items":`+members(`"x":{},"y":{}`, ``)+`}`, ``), nil},
		"an optional member, required": {members(`"a":{}`, `,"required":["a"]`), members(`"a":{},"b":{}`, `,"required":["a","b"]`), []string{"/required was not there, is b required: events of the earlier version do not have it"}},
		"removed":                      {members(`"a":{},"b/c":{"enum":["x"]}`, ``), members(`"a":{}`, ``), []string{`/properties/b~1c was optional "x", is not there: readers of the earlier`}},
		"renamed":                      {members(`"a":{},"b":{}`, ``), members(`"a":{},"c":{}`, ``), []string{"/properties/b deprecated"}},
		"retyped":                      {members(`"a":{"type":"integer"}`, ``), members(`"a":{"type":"string"}`, ``), []string{"/properties/a/type was integer, is string: neither version"}},
		"wider type":                   {members(`"a":{"type":"integer"}`, ``), members(`"a":{"type":"number"}`, ``), []string{"/properties/a/type refuse"}},
		"nullable no more":             {members(`"a":{"type":["integer","null"]}`, ``), members(`"a":{"type":"integer"}`, ``), []string{"/properties/a/type breaks the later"}},
		"optional to required":         {members(`"a":{}`, ``), members(`"a":{}`, `,"required":["a"]`), []string{"/required was a optional, is a required: data that the earlier"}},
		"required to optional":         {members(`"a":{}`, `,"required":["a"]`), members(`"a":{}`, ``), []string{"/required without it"}},
		"enum grows":                   {members(`"a":{"enum":["x"]}`, ``), members(`"a":{"enum":["x","y"]}`, ``), []string{`/properties/a/enum refuse: "y" is new`}},
		"enum shrinks":                 {members(`"a":{"enum":["x","y"]}`, ``), members(`"a":{"enum":["x"]}`, ``), []string{`/properties/a/enum "y" is gone`}},
		"enum changes":                 {members(`"a":{"enum":["x"]}`, ``), members(`"a":{"enum":["y"]}`, ``), []string{`/properties/a/enum gone`, `/properties/a/enum new`}},
		"enum comes":                   {members(`"a":{"type":"string"}`, ``), members(`"a":{"enum":["x"]}`, ``), []string{"/properties/a/enum no list"}},
		"enum goes":                    {members(`"a":{"enum":["x"]}`, ``), members(`"a":{"type":"string"}`, ``), []string{"/properties/a/enum no list"}},
		"lower minimum":                {members(`"a":{"type":"number","minimum":1}`, ``), members(`"a":{"type":"number","minimum":0}`, ``), []string{"/properties/a/minimum was 1, is 0: readers of the earlier"}},
		"a bound that excludes":        {members(`"a":{"type":"number","maximum":1}`, ``), members(`"a":{"type":"number","exclusiveMaximum":1}`, ``), []string{"/properties/a/maximum was 1, is 1 (exclusive): data that the earlier"}},
		"a bound more":                 {members(`"a":{"type":"number"}`, ``), members(`"a":{"type":"number","maximum":1}`, ``), []string{"/properties/a/maximum was not there, is 1: data"}},
		"longer":                       {members(`"a":{"type":"string","maxLength":1}`, ``), members(`"a":{"type":"string","maxLength":2}`, ``), []string{"/properties/a/maxLength refuse"}},
		"pattern":                      {members(`"a":{"type":"string","pattern":"^a"}`, ``), members(`"a":{"type":"string","pattern":"^[a]"}`, ``), []string{"/properties/a/pattern was ^a, is ^[a]: neither"}},
		"format goes":                  {members(`"a":{"type":"string","format":"date"}`, ``), members(`"a":{"type":"string"}`, ``), []string{"/properties/a/format refuse"}},
		"multipleOf comes":             {members(`"a":{"type":"number"}`, ``), members(`"a":{"type":"number","multipleOf":2}`, ``), []string{"/properties/a/multipleOf breaks the later"}},
		"multipleOf changes":           {members(`"a":{"type":"number","multipleOf":2}`, ``), members(`"a":{"type":"number","multipleOf":4}`, ``), []string{"/properties/a/multipleOf neither"}},
		"a list that may be empty":     {members(`"a":{"type":"array","minItems":1}`, ``), members(`"a":{"type":"array"}`, ``), []string{"/properties/a/minItems refuse"}},
		"elements":                     {`{"type":"array","items":{"type":"string"}}`, `{"type":"array","items":{"type":"integer"}}`, []string{"/items/type neither"}},
		"closed grows":                 {members(`"a":{}`, `,"additionalProperties":false`), members(`"a":{},"b":{}`, `,"additionalProperties":false`), []string{"/properties/b additionalProperties is false"}},
		"closing":                      {members(`"a":{}`, ``), members(`"a":{}`, `,"additionalProperties":false`), []string{"/additionalProperties was open, is closed: data"}},
		"opening":                      {members(`"a":{}`, `,"additionalProperties":false`), members(`"a":{}`, ``), []string{"/additionalProperties was closed, is open: readers"}},
		"a map's values":               {`{"additionalProperties":{"type":"string"}}`, `{"additionalProperties":{"type":"integer"}}`, []string{"/additionalProperties/type neither"}},
		"a name out of a map":          {`{"additionalProperties":{"type":"string"}}`, `{"properties":{"a":{"type":"string"}},"additionalProperties":{"type":"string"}}`, []string{"/properties/a one of its additionalProperties"}},
		"the first member":             {`{"type":"object"}`, members(`"a":{}`, ``), []string{"/additionalProperties was free-form, no member is declared, is open"}},
		"members are counted":          {members(`"a":{}`, `,"minProperties":1`), members(`"a":{},"b":{}`, `,"minProperties":1`), []string{"/properties/b fewer than minProperties"}},
		"counted, and required":        {members(`"a":{}`, `,"minProperties":1,"required":["a"]`), members(`"a":{},"b":{}`, `,"minProperties":1,"required":["a"]`), nil},
		"a column more":                {members(`"a":{"type":"string"}`, ``), members(`"a":{"type":"string","x-signalbox-column":true}`, ``), nil},
		"a column less":                {members(`"a":{"type":"string","x-signalbox-column":true}`, ``), members(`"a":{"type":"string"}`, ``), []string{"/properties/a/x-signalbox-column was a, is not there"}},
		"a column of another name":     {members(`"a":{"type":"string","x-signalbox-column":true}`, ``), members(`"a":{"type":"string","x-signalbox-column":"b"}`, ``), []string{"/properties/a/x-signalbox-column was a, is b"}},
	} {
		t.Run(name, func(t *testing.T) {
			earlier, later := compile(t, []byte(c.earlier)), compile(t, []byte(c.later))
			if earlier == nil || later == nil {
				t.Fatal("no schema of the subset")
			}
			expect(t, Compare(earlier.schema, later.schema), c.want)
		})
	}
}

// expect wants these faults and no other.
func expect(t *testing.T, got []Fault, want []string) {
	t.Helper()
	got = slices.Clone(got)
	for _, w := range want {
		pointer, words, _ := strings.Cut(w, " ")
		i := slices.IndexFunc(got, func(f Fault) bool { return f.Pointer == pointer && strings.Contains(f.String(), words) })
		if i < 0 {
			t.Errorf("no %q in %+v", w, got)
			continue
		}
		got = slices.Delete(got, i, i+1)
	}
	if len(got) > 0 {
		t.Errorf("not expected: %+v", got)
	}
}

func TestSame(t *testing.T) {
	published := compile(t, []byte(members(`"a":{"type":"string"}`, ``))).schema
	for name, c := range map[string]struct {
		now  string
		want []string
	}{
		"annotations":  {`{"title":"t","$comment":"c",` + members(`"a":{"type":"string","description":"d","deprecated":true}`, ``)[1:], nil},
		"a member":     {members(`"a":{"type":"string"},"b":{}`, ``), []string{"/properties/b published"}},
		"a column":     {members(`"a":{"type":"string","x-signalbox-column":true}`, ``), []string{"/properties/a/x-signalbox-column is a"}},
		"another type": {members(`"a":{"type":"integer"}`, ``), []string{"/properties/a/type integer"}},
	} {
		t.Run(name, func(t *testing.T) { expect(t, Same(published, compile(t, []byte(c.now)).schema), c.want) })
	}
}

// TestBounded: schemas whose places pair up by multiplication are refused, not compared for ever.
func TestBounded(t *testing.T) {
	var many, few strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&many, `,"m%d":{"type":"string"}`, i)
		fmt.Fprintf(&few, `,"m%d":{"type":"integer"}`, i)
	}
	a, err := schema.Compile([]byte(members(many.String()[1:], "")))
	if err != nil {
		t.Fatal(err)
	}
	b, err := schema.Compile([]byte(members(few.String()[1:], "")))
	if err != nil {
		t.Fatal(err)
	}
	if got := Compare(a, b); len(got) != maxFaults {
		t.Errorf("%d faults", len(got))
	}
	// Sixteen places that refer to sixteen places, four times over.
	var defs []string
	for d := range 4 {
		var props []string
		for i := range 16 {
			value := `{"type":"string"}`
			if d > 0 {
				value = fmt.Sprintf(`{"$ref":"#/$defs/d%d"}`, d-1)
			}
			props = append(props, fmt.Sprintf(`"p%d":%s`, i, value))
		}
		defs = append(defs, fmt.Sprintf(`"d%d":%s`, d, members(strings.Join(props, ","), "")))
	}
	deep := `{"$defs":{` + strings.Join(defs, ",") + `},"properties":{"x":{"$ref":"#/$defs/d2"},"y":{"$ref":"#/$defs/d2"},"z":{"$ref":"#/$defs/d2"}}}`
	v := compile(t, []byte(deep))
	if v == nil {
		t.Fatal("no schema")
	}
	if got := Compare(v.schema, compile(t, []byte(deep)).schema); len(got) > 0 {
		t.Errorf("%v", got)
	}
	w := &comparer{budget: 100}
	w.node(v.schema.Root(), compile(t, []byte(deep)).schema.Root(), "")
	if len(w.faults) != 1 || w.faults[0].rule != "size" {
		t.Errorf("past the bound: %v", w.faults)
	}
}
