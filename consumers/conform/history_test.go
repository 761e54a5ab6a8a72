package conform

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/metric/noop"

	"github.com/signalbox-ml/signalbox/events"
)

// past is a stream whose changes a Checker may have to remember.
type past struct {
	t      *testing.T
	sh     *shelf
	places map[string]events.Place
	specs  map[string]string // digests
}

// now declares the stream's types, and remembers the time a minute later by a name.
func (p *past) now(name string, schemas map[string]string) {
	p.specs[name] = p.sh.apply("flights", schemas).Digest.String()
	p.mark(name)
}

func (p *past) mark(name string) {
	time.Sleep(time.Minute)
	p.places[name] = at(topic)
	time.Sleep(time.Minute)
}

// says fails where a verdict is not want: a reason, and for a schema the name of the time when it was declared.
func (p *past) says(c *Checker, when, typ, data, want string) {
	p.t.Helper()
	err := c.HandleAt(p.t.Context(), flight(p.t, typ, data), p.places[when])
	reason, schema, _ := strings.Cut(want, " of ")
	if (err == nil) != (want == "") || events.PermanentReason(err) != reason || events.MisfitSchema(err) != p.specs[schema] {
		p.t.Errorf("%s, %s %s: %v, held against %s; want %q", when, typ, data, err, events.MisfitSchema(err), want)
	}
}

// TestHistory: whatever was declared since, an event is judged as on the day when it was appended, by a Checker that was
// there and by one that was not.
func TestHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &past{t: t, sh: &shelf{}, places: map[string]events.Place{}, specs: map[string]string{}}
		witness := checker(t, p.sh)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- witness.Run(ctx) }()
		texts := strings.Replace(delays, "integer", "string", 1)
		p.mark("never")
		p.now("numbers", map[string]string{landed: delays})
		p.now("one more type", map[string]string{landed: delays, "com.example.gate": `{}`})
		for _, c := range []*Checker{witness, checker(t, p.sh)} {
			p.says(c, "never", landed, `{"delay":"1"}`, "")
			p.says(c, "numbers", landed, `{"delay":1}`, "")
			p.says(c, "numbers", landed, `{"delay":"1"}`, "schema_violation of numbers")
			p.says(c, "one more type", landed, `{"delay":"1"}`, "schema_violation of one more type")
			p.says(c, "numbers", "com.example.typo", `{}`, "undeclared_type")
			p.says(c, "numbers", "dev.signalbox.tag.moved", `{}`, "reserved_type")
		}
		p.now("texts", map[string]string{landed: texts})
		for _, c := range []*Checker{witness, checker(t, p.sh)} {
			p.says(c, "numbers", landed, `{"delay":1}`, "")
			p.says(c, "numbers", landed, `{"delay":"1"}`, "") // it fits now
			p.says(c, "numbers", landed, `{"delay":true}`, "schema_violation of numbers")
			p.says(c, "texts", landed, `{"delay":1}`, "schema_violation of texts")
			p.says(c, "one more type", "com.example.gate", `{}`, "")
			p.says(c, "texts", "com.example.gate", `{}`, "undeclared_type")
		}
		p.now("unusable", map[string]string{landed: `{"type":"nonsense"}`})
		p.now("other types", map[string]string{"com.example.gate": `{}`})
		p.sh.put(time.Now(), "flights", []byte(`{"from":"the future"}`))
		p.mark("unreadable")
		p.now("back again", map[string]string{"com.example.gate": `{}`})
		for _, c := range []*Checker{witness, checker(t, p.sh)} {
			p.says(c, "never", landed, `{}`, "")
			p.says(c, "numbers", landed, `{"delay":1}`, "") // though the type was taken away
			p.says(c, "numbers", landed, `{}`, "schema_violation of numbers")
			p.says(c, "texts", landed, `{"delay":1}`, "schema_violation of texts")
			p.says(c, "unusable", landed, `{"delay":1}`, "")
			p.says(c, "other types", landed, `{"delay":1}`, "undeclared_type")
			p.says(c, "unreadable", landed, `{"delay":1}`, "")
			p.says(c, "back again", landed, `{"delay":1}`, "undeclared_type")
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestClocksDisagree: a generation that may have held, by clocks that are as far apart as Skew says, speaks for an event.
func TestClocksDisagree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sh := &shelf{}
		start := time.Now()
		sh.apply("flights", map[string]string{landed: delays})
		time.Sleep(time.Minute)
		sh.apply("flights", map[string]string{landed: strings.Replace(delays, "integer", "string", 1)})
		time.Sleep(time.Minute)
		sh.apply("flights", map[string]string{landed: strings.Replace(delays, "integer", "boolean", 1)})
		time.Sleep(time.Minute)
		c, err := New(Config{Specs: sh, Skew: 10 * time.Second, Metrics: noop.NewMeterProvider()})
		if err != nil {
			t.Fatal(err)
		}
		for _, tc := range []struct {
			after  time.Duration
			data   string
			passes bool
		}{
			{9 * time.Second, `{}`, true}, // it may have been before the stream was declared
			{10 * time.Second, `{}`, false},
			{49 * time.Second, `{"delay":"x"}`, false}, {51 * time.Second, `{"delay":"x"}`, true},
			{51 * time.Second, `{"delay":1}`, true}, {69 * time.Second, `{"delay":1}`, true}, {71 * time.Second, `{"delay":1}`, false},
			{69 * time.Second, `{}`, false}, {129 * time.Second, `{"delay":"x"}`, true}, {131 * time.Second, `{"delay":"x"}`, false},
			{90 * time.Second, `{"delay":true}`, true},
		} {
			err := c.HandleAt(t.Context(), flight(t, landed, tc.data), events.Place{
				Position: events.Position{Topic: topic}, AppendTime: start.Add(tc.after),
			})
			if (err == nil) != tc.passes {
				t.Errorf("%s after %s: %v", tc.data, tc.after, err)
			}
		}
	})
}

// TestHistoryIsReadOnce: a history is read for events that need it, once for each generation, and no verdict is made without.
func TestHistoryIsReadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sh := &shelf{}
		p := &past{t: t, sh: sh, places: map[string]events.Place{}, specs: map[string]string{}}
		p.now("first", map[string]string{landed: delays})
		c := checker(t, sh)
		p.says(c, "first", landed, `{}`, "schema_violation of first")
		if sh.recalled != 0 {
			t.Error("a history was read for an event that is newer than all of it")
		}
		for n := range 3 {
			p.now("later", map[string]string{landed: delays, "com.example.gate": `{}`, "com.example.n" + string(rune('a'+n)): `{}`})
			sh.forgetful = true
			asked := sh.recalled
			if err := c.HandleAt(t.Context(), flight(t, landed, `{"delay":1}`), p.places["first"]); err != nil {
				t.Errorf("it fits: %v", err)
			}
			if sh.recalled != asked {
				t.Error("a history was read for an event that fits")
			}
			if n == 0 {
				p.says(c, "later", "com.example.typo", `{}`, "undeclared_type") // which brings the new spec
			}
			if err := c.HandleAt(t.Context(), flight(t, landed, `{}`), p.places["first"]); n == 0 && (err == nil || events.PermanentReason(err) != "") {
				t.Errorf("%v, want an error that is tried again", err)
			}
			sh.forgetful = false
			p.says(c, "later", "com.example.typo", `{}`, "undeclared_type")
			asked = sh.recalled
			for range 100 {
				p.says(c, "first", landed, `{}`, "schema_violation of first")
			}
			if sh.recalled != asked+1 {
				t.Errorf("it was read %d times", sh.recalled-asked)
			}
		}
	})
}
