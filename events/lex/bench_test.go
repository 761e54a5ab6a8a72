package lex

import "testing"

func BenchmarkSkip(b *testing.B) {
	text := []byte(`{"flight_id":"f-1234","tail":"N12345","carrier":"AA","origin":"JFK","dest":"SFO","distance":2475,"dep_delay":-4,` +
		`"wind":12.34,"temp":45.6,"scheduled":"2013-01-01T10:00:00Z","visibility":9.1}`)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		l := Lexer{Data: text}
		if !l.Skip(64) || !l.End() {
			b.Fatal(l.Broken)
		}
	}
}
