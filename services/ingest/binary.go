package ingest

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/signalbox-ml/signalbox/events"
)

// attributeOf returns the attribute that a header carries in binary mode.
func attributeOf(header string) (string, bool) {
	const prefix = "ce-"
	if len(header) <= len(prefix) || !strings.EqualFold(header[:len(prefix)], prefix) {
		return "", false
	}
	return strings.ToLower(header[len(prefix):]), true
}

// decodeBinary reads an event whose attributes are headers and whose data is the body. Errors wrap events.ErrNotEvent.
func decodeBinary(h http.Header, body []byte) (events.Event, error) {
	ev := events.Blank()
	seen := false
	for header, values := range h {
		name, ok := attributeOf(header)
		if !ok {
			continue
		}
		if err := setHeader(&ev, name, values); err != nil {
			return ev, fmt.Errorf("%w: %v", events.ErrNotEvent, err)
		}
		seen = seen || name == "specversion"
	}
	if !seen {
		return ev, fmt.Errorf("%w: specversion: send the header ce-specversion: 1.0", events.ErrNotEvent)
	}
	if ct := h.Get("Content-Type"); ct != "" {
		if err := events.SetAttribute(&ev, "datacontenttype", ct); err != nil {
			return ev, fmt.Errorf("%w: %v", events.ErrNotEvent, err)
		}
	}
	if len(body) > 0 {
		ev.DataEncoded = body
	}
	return ev, events.Check(ev)
}

func setHeader(ev *events.Event, name string, values []string) error {
	if name == "datacontenttype" {
		return errors.New("datacontenttype: send it as the header Content-Type")
	}
	if len(values) != 1 {
		return fmt.Errorf("%s: there are %d headers, send one", name, len(values))
	}
	text, err := unescape(values[0])
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return events.SetAttribute(ev, name, text)
}

// unescape undoes what the HTTP binding does to a value: quotes with backslashes first, then percent-encoding, each once.
func unescape(value string) (string, error) {
	if len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
		value = unquote(value[1 : len(value)-1])
	}
	if strings.IndexByte(value, '%') < 0 {
		return checkUTF8(value)
	}
	out := make([]byte, 0, len(value))
	for i := 0; i < len(value); i++ {
		if value[i] != '%' {
			out = append(out, value[i])
			continue
		}
		if i+2 >= len(value) || hex(value[i+1]) < 0 || hex(value[i+2]) < 0 {
			return "", errors.New("a percent sign without two hexadecimal digits: send %25 for the sign itself")
		}
		out = append(out, byte(hex(value[i+1])<<4|hex(value[i+2])))
		i += 2
	}
	return checkUTF8(string(out))
}

func checkUTF8(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", errors.New("the value is not UTF-8")
	}
	return s, nil
}

func unquote(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		out = append(out, s[i])
	}
	return string(out)
}

// hex returns the value of a hexadecimal digit, or -1.
func hex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
