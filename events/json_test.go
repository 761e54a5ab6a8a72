package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/cloudevents/sdk-go/v2/event"
)

func TestParseJSONKeepsDataExactly(t *testing.T) {
	for data, want := range map[string]string{
		`,"data":{"b": 1,  "a":[1e2]}`:                                   `{"b": 1,  "a":[1e2]}`,
		`,"data":"text"`:                                                 `"text"`,
		`,"data":null`:                                                   `null`,
		`,"data":12345678901234567890.10`:                                `12345678901234567890.10`,
		`,"data":"a\nb","datacontenttype":"text/plain"`:                  "a\nb",
		`,"data":{"a":1},"datacontenttype":"application/geo+json; q=1"`:  `{"a":1}`,
		`,"data_base64":"AP8=","datacontenttype":"application/x-thing"`:  "\x00\xff",
		`,"data_base64":"e30=","datacontenttype":"application/json"`:     `{}`,
		`,"data_base64":null,"data":1`:                                   `1`,
		``:                                                               "",
		`,"subject":null,"time":null,"dataschema":null,"extension":null`: "",
	} {
		ev, err := ParseJSON([]byte(`{"id":"1","type":"t","specversion":"1.0","source":"s"` + data + `}`))
		if err != nil || string(ev.Data()) != want {
			t.Errorf("%s: %q %v", data, ev.Data(), err)
		}
	}
}

func TestParseJSONTakesAllAttributes(t *testing.T) {
	ev, err := ParseJSON([]byte(`{"specversion":"1.0","id":"1","source":"/s?x=1#y","type":"t","subject":"sub","time":"2026-01-02T03:04:05.6+01:00",
		"datacontenttype":"application/json","dataschema":"https://example.org/s","b":true,"n":-2147483648,"s":"x","data":1}`))
	if err != nil {
		t.Fatal(err)
	}
	if ev.Source() != "/s?x=1#y" || ev.Subject() != "sub" || ev.Time().Unix() != 1767319445 || ev.DataSchema() != "https://example.org/s" {
		t.Errorf("%v", ev)
	}
	ext := ev.Extensions()
	if len(ext) != 3 || ext["b"] != true || ext["n"] != int32(-2147483648) || ext["s"] != "x" {
		t.Errorf("extensions %v", ext)
	}
}

func TestParseJSONRefuses(t *testing.T) {
	for body, says := range map[string]string{
		``:                        "want a JSON object",
		`null`:                    "specversion is missing",
		`[]`:                      "want a JSON object",
		`{"id":"1"}`:              "specversion is missing",
		`{"specversion":null}`:    "specversion: want a string",
		`{"specversion":"0.3"}`:   `specversion: want "1.0"`,
		`{"specversion":"1.0"} x`: "want a JSON object",
		"{\"specversion\":\"1.0\",\"id\":\"\xff\"}":                                   "not UTF-8",
		`{"specversion":"1.0"}`:                                                       "id: MUST be a non-empty string; source: REQUIRED; type: MUST be a non-empty string",
		`{"specversion":"1.0","id":7}`:                                                "id: want a string",
		`{"specversion":"1.0","time":"yesterday"}`:                                    "time: want RFC 3339",
		`{"specversion":"1.0","time":""}`:                                             "time: want RFC 3339",
		`{"specversion":"1.0","source":"%zz"}`:                                        "source: want a URI reference",
		`{"specversion":"1.0","dataschema":"%zz"}`:                                    "dataschema: want a URI",
		`{"specversion":"1.0","x":1.5}`:                                               `attribute "x": want`,
		`{"specversion":"1.0","x":2147483648}`:                                        `attribute "x": want`,
		`{"specversion":"1.0","x":{}}`:                                                `attribute "x": want`,
		`{"specversion":"1.0","X":"1"}`:                                               `attribute "X": names are lower-case`,
		`{"specversion":"1.0","a_b":"1"}`:                                             `attribute "a_b"`,
		`{"specversion":"1.0","":"1"}`:                                                `attribute ""`,
		`{"specversion":"1.0","data":1,"data_base64":"AA=="}`:                         "exclude each other",
		`{"specversion":"1.0","data_base64":1}`:                                       "data_base64: want a string",
		`{"specversion":"1.0","data_base64":"?"}`:                                     "data_base64: want standard base64",
		`{"specversion":"1.0","datacontenttype":"text/csv","data":1}`:                 "data: want a string",
		`{"specversion":"1.0","id":"1","source":"s","type":"t","datacontenttype":""}`: "datacontenttype",
		`{"specversion":"1.0","id":"1","source":"s","type":"t","subject":" "}`:        "subject",
	} {
		_, err := ParseJSON([]byte(body))
		if !errors.Is(err, ErrNotEvent) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want one that says %q", body, err, says)
		}
	}
}

func TestIsJSON(t *testing.T) {
	for contentType, want := range map[string]bool{"": true, "application/json": true, " Application/JSON ; charset=utf-8": true, "text/json": true,
		"application/vnd.x+json": true, "application/jsonx": false, "text/plain": false} {
		if IsJSON(contentType) != want {
			t.Errorf("%q", contentType)
		}
	}
}

func TestSetAttributeNeedsABlankEvent(t *testing.T) {
	old := event.New(event.CloudEventsVersionV03)
	if SetAttribute(&old, "id", "1") == nil {
		t.Error("set")
	}
}

// FuzzParseJSON: nothing panics; what is accepted is valid, and reads back the same after the SDK wrote it.
func FuzzParseJSON(f *testing.F) {
	f.Add([]byte(`{"specversion":"1.0","id":"1","source":"s","type":"t","data":{"a":[1,2]},"x":1,"y":true}`))
	f.Add([]byte(`{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":"AAE=","datacontenttype":"a/b"}`))
	f.Add([]byte(`{"data_base64":1,"specversion":"1.0"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		ev, err := ParseJSON(body)
		if err != nil {
			if !errors.Is(err, ErrNotEvent) {
				t.Fatal(err)
			}
			return
		}
		b, err := json.Marshal(ev)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseJSON(b)
		if err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		if again.ID() != ev.ID() || again.Source() != ev.Source() || len(again.Extensions()) != len(ev.Extensions()) {
			t.Errorf("%v\n%v", ev, again)
		}
	})
}

// FuzzMembers: a member is what encoding/json reads, which is what is meant by the last of several.
func FuzzMembers(f *testing.F) {
	for _, s := range []string{`{"a":1,"a":{"b":[true,null]},"\u0061":"\ud800x"}`, `null`, ` {} `, `[]`, `{"a":1,}`, `{"a":"\ud83d\ude00\n"}`, `{"a":01}`} {
		f.Add([]byte(s))
	}
	many := "{"
	for i := range 200 {
		many += fmt.Sprintf(`"n%d":%d,`, i%150, i)
	}
	f.Add([]byte(many + `"end":0}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if !utf8.Valid(b) {
			return
		}
		var want map[string]json.RawMessage
		bad := json.Unmarshal(b, &want)
		got, err := membersOf(b, nil)
		if (err == nil) != (bad == nil) || len(got) != len(want) {
			t.Fatalf("%d members, %v, want %d, %v", len(got), err, len(want), bad)
		}
		for _, m := range got {
			if string(want[m.name]) != string(m.value) {
				t.Errorf("%q is %s, want %s", m.name, m.value, want[m.name])
			}
			var text string
			if m.value[0] == '"' && (json.Unmarshal(m.value, &text) != nil || text != textOf(m.value)) {
				t.Errorf("%s says %q, want %q", m.value, textOf(m.value), text)
			}
		}
	})
}

// FuzzElements: the elements are those that encoding/json finds.
func FuzzElements(f *testing.F) {
	for _, s := range []string{"[]", ` [ 1 , {"a":[]} ,"x"] `, "[1 2]", "[1,]", "[", "[]]", "7", "", "[\"\xff\"]", `["\ud800"]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var want []json.RawMessage
		bad := json.Unmarshal(b, &want) != nil || want == nil
		var got [][]byte
		var last error
		for raw, err := range Elements(b) {
			if last != nil {
				t.Fatal("there is more after an error")
			}
			if last = err; err == nil {
				got = append(got, raw)
			}
		}
		if (last != nil) != bad || last == nil && len(got) != len(want) {
			t.Fatalf("%d elements, %v, want %d", len(got), last, len(want))
		}
		for i := range want {
			if last == nil && string(want[i]) != string(got[i]) {
				t.Errorf("element %d is %s, want %s", i, got[i], want[i])
			}
		}
	})
}
