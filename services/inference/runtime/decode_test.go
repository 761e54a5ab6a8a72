package runtime

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/signalbox-ml/signalbox/registry/manifest"
)

func flightColumns(t testing.TB) *Columns {
	t.Helper()
	c, err := NewColumns([]manifest.Column{
		{Name: "delay", Type: manifest.Number, Nullable: true},
		{Name: "seats", Type: manifest.Integer},
		{Name: "late", Type: manifest.Boolean, Nullable: true},
		{Name: "carrier", Type: manifest.String, Categories: []string{"UA", "Ümlaut", "a\"b"}, Nullable: true},
		{Name: "note", Type: manifest.String, Nullable: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDecodeRequest(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name, body string
		values     []float64
		text       []string
	}{
		{"all", `{"rows":[{"delay":-1.5e1,"seats":3,"late":true,"carrier":"UA","note":"x"}]}`, []float64{-15, 3, 1, 0, nan}, []string{4: "x"}},
		{"any order", `{"rows":[{"note":"x","late":false,"seats":3.0,"carrier":"Ümlaut","delay":0}]}`, []float64{0, 3, 0, 1, nan}, []string{4: "x"}},
		{"gaps", `{"rows":[{"seats":1e2,"delay":null}]}`, []float64{nan, 100, nan, nan, nan}, make([]string, 5)},
		{"escapes", `{"rows":[{"se\u0061ts":1,"carrier":"a\"b","note":"\ud83d\ude00\n"}]}`, []float64{nan, 1, nan, 2, nan}, []string{4: "😀\n"}},
		{"unknown category", `{"rows":[{"seats":1,"carrier":"ZZ"}]}`, []float64{nan, 1, nan, nan, nan}, make([]string, 5)},
		{"ignored", `{"rows":[{"x":{"a":[1,{"b":"]"}]},"seats":1,"y":[],"z":-0.5e-3}]}`, []float64{nan, 1, nan, nan, nan}, make([]string, 5)},
		{"no rows", ` { "rows" : [ ] } `, nil, nil},
		{"negative zero", `{"rows":[{"delay":-0,"seats":-0.0}]}`, []float64{math.Copysign(0, -1), math.Copysign(0, -1), nan, nan, nan}, make([]string, 5)},
		{"17 digits", `{"rows":[{"delay":0.30000000000000004,"seats":9007199254740991}]}`, []float64{0.30000000000000004, 9007199254740991, nan, nan, nan}, make([]string, 5)},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r Rows
			if err := flightColumns(t).DecodeRequest([]byte(c.body), false, &r); err != nil {
				t.Fatal(err)
			}
			if !sameFloats(r.Values, c.values) || !slices.Equal(r.Text, c.text) {
				t.Errorf("got %v %q, want %v %q", r.Values, r.Text, c.values, c.text)
			}
		})
	}
}

func TestDecodeRequestRefuses(t *testing.T) {
	for _, c := range []struct {
		name, body, code, feature string
		row                       int
	}{
		{"missing", `{"rows":[{"seats":1},{}]}`, CodeMissing, "seats", 1},
		{"null where none may be", `{"rows":[{"seats":null}]}`, CodeMistyped, "seats", 0},
		{"string for a number", `{"rows":[{"seats":1,"delay":"3"}]}`, CodeMistyped, "delay", 0},
		{"fraction for an integer", `{"rows":[{"seats":1.5}]}`, CodeMistyped, "seats", 0},
		{"number for a boolean", `{"rows":[{"seats":1,"late":1}]}`, CodeMistyped, "late", 0},
		{"object for a string", `{"rows":[{"seats":1,"note":{}}]}`, CodeMistyped, "note", 0},
		{"beyond a double", `{"rows":[{"seats":1,"delay":1e400}]}`, CodeMistyped, "delay", 0},
		{"twice", `{"rows":[{"seats":1,"delay":1,"seats":2}]}`, CodeDuplicate, "seats", 0},
		{"unknown, strict", `{"rows":[{"seats":1},{"seats":1,"seat":2}]}`, CodeUnknown, "seat", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r Rows
			err := flightColumns(t).DecodeRequest([]byte(c.body), strings.Contains(c.name, "strict"), &r)
			var bad *RowError
			if !errors.As(err, &bad) || bad.Code != c.code || bad.Feature != c.feature || bad.Row != c.row {
				t.Errorf("got %v", err)
			}
		})
	}
	for _, body := range []string{
		``, `{}`, `[]`, `{"rows":{}}`, `{"rows":[]}x`, `{"rows":[],"rows":[]}`, `{"rows":[],"model":"x"}`, `{"rows":[{"seats":01}]}`,
		`{"rows":[{"seats":1.}]}`, `{"rows":[{"seats":1e}]}`, `{"rows":[{"seats":-}]}`, `{"rows":[{"seats":1,}]}`, `{"rows":[{"seats":1}`,
		`{"rows":[{"x":[1,]},"seats":1]}`, `{"rows":[{"x":,"seats":1}]}`, "{\"rows\":[{\"seats\":1,\"note\":\"\n\"}]}", "{\"rows\":[{\"\xff\":1}]}",
		`{"rows":[{"seats":1,"note":"\x"}]}`, `{"rows":[{"seats":1,"late":nul}]}`, `{"rows":[{"seats":1}]`, `{"rows":[null]}`, `{"rows":[{"x":"\`,
	} {
		var r Rows
		if err := flightColumns(t).DecodeRequest([]byte(body), false, &r); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q: got %v, want ErrSyntax", body, err)
		}
	}
}

func TestDecodeRequestBoundsRows(t *testing.T) {
	body := `{"rows":[` + strings.Repeat(`{"seats":1},`, MaxRows) + `{"seats":1}]}`
	var r Rows
	if err := flightColumns(t).DecodeRequest([]byte(body), false, &r); !errors.Is(err, ErrTooManyRows) {
		t.Errorf("got %v, want ErrTooManyRows", err)
	}
}

func TestSpansAreTheRowsAsSent(t *testing.T) {
	body := []byte(`{"rows":[ {"seats":1} , {"seats": 2, "x":"}"}]}`)
	var r Rows
	if err := flightColumns(t).DecodeRequest(body, false, &r); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range r.Spans {
		got = append(got, string(body[s[0]:s[1]]))
	}
	if want := []string{`{"seats":1}`, `{"seats": 2, "x":"}"}`}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if r.Ignored != 1 {
		t.Errorf("ignored %d, want 1", r.Ignored)
	}
}

func TestRowsCanBeUsedAgain(t *testing.T) {
	c := flightColumns(t)
	body := []byte(`{"rows":[{"delay":1.25,"seats":3,"late":true,"carrier":"UA"},{"seats":4,"carrier":"none"}]}`)
	var r Rows
	allocs := testing.AllocsPerRun(100, func() {
		if err := c.DecodeRequest(body, false, &r); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations a request, want 0", allocs)
	}
	if r.Rows != 2 || r.Unknown != 1 {
		t.Errorf("got %d rows, %d unknown", r.Rows, r.Unknown)
	}
}

func TestNewColumnsRefuses(t *testing.T) {
	for name, list := range map[string][]manifest.Column{
		"none":             {},
		"empty name":       {{Type: manifest.Number}},
		"twice":            {{Name: "a", Type: manifest.Number}, {Name: "a", Type: manifest.Number}},
		"unknown type":     {{Name: "a", Type: "decimal"}},
		"number codes":     {{Name: "a", Type: manifest.Number, Categories: []string{"x"}}},
		"category doubled": {{Name: "a", Type: manifest.String, Categories: []string{"x", "x"}}},
	} {
		if _, err := NewColumns(list); !errors.Is(err, ErrSchema) {
			t.Errorf("%s: got %v, want ErrSchema", name, err)
		}
	}
}

// FuzzDecodeRequest compares with a slow decoder on encoding/json.
func FuzzDecodeRequest(f *testing.F) {
	for _, seed := range []string{
		`{"rows":[{"delay":-1.5e1,"seats":3,"late":true,"carrier":"UA","note":"x"}]}`,
		`{"rows":[{"seats":1,"seats":2}]}`, `{"rows":[{"seats":12345678901234567890,"delay":1e-400}]}`, `{"rows":[]}`,
		`{"rows":[{"seats":1,"note":"\ud800\u00e9"},{"x":[{}],"seats":0.1e1}]}`, `{"rows":[{"seats":1,"delay":0.1234567890123456789}]}`,
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	c := flightColumns(f)
	f.Fuzz(func(t *testing.T, body []byte, strict bool) {
		var r Rows
		err := c.DecodeRequest(body, strict, &r)
		values, text, ok := reference(c, body, strict)
		if (err == nil) != ok {
			t.Fatalf("%q: got %v, want ok %v", body, err, ok)
		}
		if ok && (!sameFloats(r.Values, values) || !slices.Equal(r.Text, text)) {
			t.Fatalf("%q: got %v %q, want %v %q", body, r.Values, r.Text, values, text)
		}
	})
}

// reference decodes as DecodeRequest must, with the standard library.
func reference(c *Columns, body []byte, strict bool) (values []float64, text []string, ok bool) {
	if !json.Valid(body) || !utf8.Valid(body) {
		return nil, nil, false
	}
	top, ok := object(body)
	if !ok || len(top) != 1 || top[0].key != "rows" {
		return nil, nil, false
	}
	var rows []json.RawMessage
	if json.Unmarshal(top[0].value, &rows) != nil || rows == nil || len(rows) > MaxRows {
		return nil, nil, false
	}
	for _, row := range rows {
		members, ok := object(row)
		if !ok {
			return nil, nil, false
		}
		got := map[int]float64{}
		texts := make([]string, len(c.list))
		for _, m := range members {
			at, known := c.at[m.key]
			if !known {
				if strict {
					return nil, nil, false
				}
				continue
			}
			if _, twice := got[at]; twice {
				return nil, nil, false
			}
			v, s, err := referenceValue(c.list[at], m.value)
			if err != nil {
				return nil, nil, false
			}
			got[at], texts[at] = v, s
		}
		for i, col := range c.list {
			v, has := got[i]
			if !has {
				if !col.Nullable {
					return nil, nil, false
				}
				v = math.NaN()
			}
			values = append(values, v)
		}
		text = append(text, texts...)
	}
	return values, text, true
}

type pair struct {
	key   string
	value json.RawMessage
}

func object(b []byte) (out []pair, ok bool) {
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, false
		}
		p := pair{key: t.(string)}
		if d.Decode(&p.value) != nil {
			return nil, false
		}
		out = append(out, p)
	}
	return out, true
}

func referenceValue(col column, raw json.RawMessage) (float64, string, error) {
	bad := errors.New("bad")
	if string(raw) == "null" {
		if !col.Nullable {
			return 0, "", bad
		}
		return math.NaN(), "", nil
	}
	switch col.Type {
	case manifest.Boolean:
		var b bool
		err := json.Unmarshal(raw, &b)
		return map[bool]float64{true: 1}[b], "", err
	case manifest.String:
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return 0, "", err
		}
		if col.codes == nil {
			return math.NaN(), s, nil
		}
		if code, ok := col.codes[s]; ok {
			return float64(code), "", nil
		}
		return math.NaN(), "", nil
	}
	var v float64
	if err := json.Unmarshal(raw, &v); err != nil {
		return 0, "", err
	}
	if col.Type == manifest.Integer && (v != math.Trunc(v) || math.Abs(v) > 1<<53) {
		return 0, "", bad
	}
	return v, "", nil
}

func sameFloats(a, b []float64) bool {
	return slices.EqualFunc(a, b, func(x, y float64) bool {
		return math.IsNaN(x) && math.IsNaN(y) || math.Float64bits(x) == math.Float64bits(y)
	})
}

func BenchmarkDecodeRequest(b *testing.B) {
	c := flightColumns(b)
	for _, rows := range []int{1, 64} {
		var list []string
		for i := range rows {
			list = append(list, fmt.Sprintf(`{"delay":%d.%d,"seats":%d,"late":%v,"carrier":"UA"}`, i-9, i%10, 100+i, i%2 == 0))
		}
		body := []byte(`{"rows":[` + strings.Join(list, ",") + `]}`)
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			var r Rows
			for b.Loop() {
				if err := c.DecodeRequest(body, false, &r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
