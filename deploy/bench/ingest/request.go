package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// form is how a request carries its events.
type form int

const (
	binary form = iota
	structured
	batched
)

func (f form) String() string { return [...]string{"binary mode", "structured mode", "batches"}[f] }

const (
	mediaStructured = "application/cloudevents+json"
	mediaBatch      = "application/cloudevents-batch+json"
	batchSize       = 100
	idDigits        = 16
	source          = "/airports/ewr"
	eventType       = "flight.departed" // of the example's stream
	at              = "2013-03-01T10:17:00Z"
	traceparent     = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
)

// subject is the aeroplane of an event, and so the key of its record.
func subject(i int) string { return fmt.Sprintf("N%05d", 10000+i%97*131) }

// data is what the i-th event of a request says: a departure, as the example of the flights sends it.
func data(i int) string {
	return fmt.Sprintf(`{"flight_id":"2013-03-01-UA-%d-EWR","carrier":"UA","flight":%d,"origin":"EWR","dest":"IAH","tail_number":%q,`+
		`"scheduled_departure":"2013-03-01T10:15:00Z","actual_departure":%q,"departure_delay":2,"distance":1400}`, 1500+i, 1500+i, subject(i), at)
}

// blankID stands where the number of an event comes.
func blankID() string { return strings.Repeat("#", idDigits) }

// document is an event in the JSON format.
func document(i int) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":%q,"type":%q,"subject":%q,"time":%q,"traceparent":%q,"data":%s}`,
		blankID(), source, eventType, subject(i), at, traceparent, data(i))
}

// request is the text of one that is sent again and again, each time with other ids: to make it costs a client almost nothing.
type request struct {
	text []byte
	ids  []int // where they stand
}

// newRequest returns one for the server at host; salt varies the subject of a single event.
func newRequest(f form, host, token string, salt int) *request {
	var head, body strings.Builder
	fmt.Fprintf(&head, "POST /v1/events HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n", host, token)
	switch f {
	case binary:
		fmt.Fprintf(&head, "Content-Type: application/json\r\nCe-Specversion: 1.0\r\nCe-Id: %s\r\nCe-Source: %s\r\nCe-Type: %s\r\nCe-Subject: %s\r\n"+
			"Ce-Time: %s\r\nCe-Traceparent: %s\r\n", blankID(), source, eventType, subject(salt), at, traceparent)
		body.WriteString(data(salt))
	case structured:
		fmt.Fprintf(&head, "Content-Type: %s\r\n", mediaStructured)
		body.WriteString(document(salt))
	case batched:
		fmt.Fprintf(&head, "Content-Type: %s\r\n", mediaBatch)
		for i := range batchSize {
			body.WriteByte("[,"[min(i, 1)])
			body.WriteString(document(i))
		}
		body.WriteByte(']')
	}
	fmt.Fprintf(&head, "Content-Length: %d\r\n\r\n", body.Len())
	r := &request{text: []byte(head.String() + body.String())}
	for from := 0; ; {
		i := bytes.Index(r.text[from:], []byte(blankID()))
		if i < 0 {
			return r
		}
		r.ids = append(r.ids, from+i)
		from += i + idDigits
	}
}

// number gives the events the ids first, first+1 and so on.
func (r *request) number(first int64) {
	for i, at := range r.ids {
		n := first + int64(i)
		for d := idDigits - 1; d >= 0; d-- {
			r.text[at+d] = '0' + byte(n%10)
			n /= 10
		}
	}
}

// numberOf reads an id; -1 for what is none.
func numberOf(id []byte) int64 {
	n, err := strconv.ParseInt(string(id), 10, 64)
	if err != nil || len(id) != idDigits {
		return -1
	}
	return n
}
