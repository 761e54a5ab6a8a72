package manifest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestWalk(t *testing.T) {
	in := ` {"a" : [1.50, {"b/c":"x\"\\"}, []], "d":{"e":null,"f":true , "":"" },"g":"\\"} `
	var got []string
	Walk([]byte(in), func(v Value) { got = append(got, fmt.Sprintf("%s=%s", v.Pointer(), in[v.From:v.To])) })
	want := `/a/0=1.50 /a/1/b~1c="x\"\\" /d/e=null /d/f=true /d/="" /g="\\"`
	if strings.Join(got, " ") != want {
		t.Errorf("walked %s, want %s", got, want)
	}
	for in, want := range map[string]int{`7`: 1, `[1,2`: 2, `{"a":1,]`: 1, ``: 0, `{`: 0, `[[[]]]`: 0} {
		n := 0
		Walk([]byte(in), func(Value) { n++ })
		if n != want {
			t.Errorf("%s: %d values, want %d", in, n, want)
		}
	}
}

// Every value's bytes are that value, wherever it stands.
func FuzzWalk(f *testing.F) {
	f.Add([]byte(`{"a":["x\"y",1e3,null,{"\u0061":false}]}`))
	f.Add([]byte(`"\\\""`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if !json.Valid(b) {
			return
		}
		Walk(b, func(v Value) {
			var have any
			if err := json.Unmarshal(b[v.From:v.To], &have); err != nil {
				t.Fatalf("%q at %s: %v", b[v.From:v.To], v.Pointer(), err)
			}
			if text, ok := v.Token.(string); ok && text != have {
				t.Fatalf("%q at %s is not %q", b[v.From:v.To], v.Pointer(), text)
			}
		})
	})
}
