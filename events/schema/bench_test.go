package schema

import "testing"

const departure = `{"type":"object","additionalProperties":false,"required":["flight_id","carrier","flight","origin","dest","tail_number","scheduled_departure","actual_departure","departure_delay","distance"],
	"properties":{"flight_id":{"type":"string","minLength":1},"carrier":{"type":"string","pattern":"^[A-Z0-9]{2}$"},"flight":{"type":"integer","minimum":1},
	"origin":{"type":"string","pattern":"^[A-Z]{3}$"},"dest":{"type":"string","pattern":"^[A-Z]{3}$"},"tail_number":{"type":["string","null"]},
	"scheduled_departure":{"type":"string","format":"date-time"},"actual_departure":{"type":"string","format":"date-time"},
	"departure_delay":{"type":"number"},"distance":{"type":"number","exclusiveMinimum":0}}}`

const departed = `{"flight_id":"2013-03-01-UA-1545-EWR","carrier":"UA","flight":1545,"origin":"EWR","dest":"IAH","tail_number":"N14228",` +
	`"scheduled_departure":"2013-03-01T10:15:00Z","actual_departure":"2013-03-01T10:17:00Z","departure_delay":2.5,"distance":1400}`

// BenchmarkCheck compares one event with what the oracle takes for it.
func BenchmarkCheck(b *testing.B) {
	data := []byte(departed)
	b.Run("ours", func(b *testing.B) {
		s := compile(b, departure)
		b.ReportAllocs()
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if err := s.Check(data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("oracle", func(b *testing.B) {
		s, err := oracle([]byte(departure))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if err := fits(s, data); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// TestNoAllocations: data that fits costs no memory, escapes and members that are not declared included.
func TestNoAllocations(t *testing.T) {
	for doc, data := range map[string]string{
		departure: departed,
		`{"properties":{"a":{"pattern":"^é+$","maxLength":9},"b":{"enum":["x","y"]},"c":{"items":{"type":"integer","multipleOf":5}}}}`: `{"a":"\u00e9\u00e9","b":"x","c":[5,10,1e30],"open":{"x":[1,"y",null],"z":{}},"more":true}`,
	} {
		s := compile(t, doc)
		raw := []byte(data)
		check := func() {
			if err := s.Check(raw); err != nil {
				t.Fatal(err)
			}
		}
		check()
		if n := testing.AllocsPerRun(200, check); n >= 1 {
			t.Errorf("%v allocations for %s", n, data)
		}
	}
}
