package events

import (
	"maps"
	"testing"
)

func TestAttributes(t *testing.T) {
	ev, err := ParseJSON([]byte(`{"specversion":"1.0","id":"1","source":"/s?x#y","type":"t","subject":"sub","time":"2026-01-02T03:04:05Z",
		"datacontenttype":"application/json","dataschema":"https://example.org/s","b":true,"n":-7,"s":"","data":1}`))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"id": "1", "source": "/s?x#y", "type": "t", "subject": "sub", "datacontenttype": "application/json", "dataschema": "https://example.org/s",
		"b": "true", "n": "-7", "s": "",
	}
	if got := maps.Collect(Attributes(ev)); !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for range Attributes(ev) {
		break
	}
	for name := range Attributes(Event{}) {
		t.Errorf("an event without context has %s", name)
	}
}

// TestSoundIsValid: what needs no closer look would pass one.
func TestSoundIsValid(t *testing.T) {
	for _, c := range []struct {
		attribute, text string
		sound           bool
	}{
		{"subject", "s", true}, {"subject", " ", false}, {"id", "\t", false}, {"type", "", false}, {"source", "?query", false}, {"source", " ", false},
		{"datacontenttype", "application/json", true}, {"datacontenttype", "text/plain", false}, {"datacontenttype", "no type", false}, {"dataschema", "https://example.org", false},
	} {
		ev := Blank()
		for name, text := range map[string]string{"id": "1", "source": "/s", "type": "t", c.attribute: c.text} {
			if err := SetAttribute(&ev, name, text); err != nil {
				t.Fatal(err)
			}
		}
		if sound(ev) != c.sound || c.sound && ev.Validate() != nil {
			t.Errorf("%s %q: sound %v, valid %v", c.attribute, c.text, sound(ev), ev.Validate())
		}
	}
}
