package schema

import (
	"bytes"
	"net/netip"
	"net/url"
	"strings"

	"github.com/signalbox-ml/signalbox/events/lex"
)

// formats say what is wrong with a text, "" where nothing is.
var formats = map[string]func([]byte) string{
	"date-time":     dateTime,
	"date":          date,
	"time":          clock,
	"duration":      duration,
	"uuid":          uuid,
	"ipv4":          ipv4,
	"ipv6":          func(s []byte) string { return ipv6(string(s)) },
	"hostname":      hostname,
	"email":         email,
	"uri":           absolute,
	"uri-reference": reference,
}

func uuid(s []byte) string {
	const want = "want 8-4-4-4-12 hexadecimal digits"
	if len(s) != 36 {
		return want
	}
	for i, c := range s {
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return want
			}
		default:
			if !hexadecimal(c) {
				return want
			}
		}
	}
	return ""
}

func hexadecimal(c byte) bool {
	return c-'0' <= 9 || c|0x20 >= 'a' && c|0x20 <= 'f'
}

func ipv4(s []byte) string {
	const want = "want four numbers from 0 to 255 with points between them"
	for part := range 4 {
		n := lex.Digits(s, 0)
		value := 0
		for _, c := range s[:min(n, 4)] {
			value = 10*value + int(c-'0')
		}
		if n == 0 || n > 3 || value > 255 || n > 1 && s[0] == '0' {
			return want
		}
		if s = s[n:]; part < 3 {
			if len(s) == 0 || s[0] != '.' {
				return want
			}
			s = s[1:]
		}
	}
	if len(s) > 0 {
		return want
	}
	return ""
}

func ipv6(s string) string {
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is6() || a.Zone() != "" {
		return "want an IPv6 address without a zone"
	}
	return ""
}

func hostname(s []byte) string {
	const want = "want labels of 1 to 63 letters, digits and inner dashes with points between them, 253 in all"
	s = bytes.TrimSuffix(s, []byte("."))
	if len(s) > 253 {
		return want
	}
	for more := true; more; {
		var label []byte
		label, s, more = bytes.Cut(s, []byte("."))
		if len(label) == 0 || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return want
		}
		for _, c := range label {
			if !alphanumeric(c) && c != '-' {
				return want
			}
		}
	}
	return ""
}

func alphanumeric(c byte) bool {
	return c-'0' <= 9 || c|0x20 >= 'a' && c|0x20 <= 'z'
}

func email(s []byte) string {
	i := bytes.LastIndexByte(s, '@')
	if i < 0 || i > 64 || len(s) > 254 {
		return "want at most 64 bytes, @ and a host, 254 in all"
	}
	local, host := s[:i], s[i+1:]
	if len(local) > 1 && local[0] == '"' && local[i-1] == '"' {
		if bytes.ContainsAny(local[1:i-1], `"\`) {
			return "neither backslash nor quote may stand within the quotes"
		}
	} else if why := dotted(local); why != "" {
		return why
	}
	if len(host) > 1 && host[0] == '[' && host[len(host)-1] == ']' {
		host = host[1 : len(host)-1]
		if six, ok := bytes.CutPrefix(host, []byte("IPv6:")); ok {
			return ipv6(string(six))
		}
		return ipv4(host)
	}
	return hostname(host)
}

// dotted checks the part of an address before its host.
func dotted(s []byte) string {
	const want = "want letters, digits and punctuation before the @, and points between them only"
	before := byte('.')
	for _, c := range s {
		if c == '.' && before == '.' || c != '.' && !alphanumeric(c) && strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) < 0 {
			return want
		}
		before = c
	}
	if len(s) > 0 && before == '.' {
		return want
	}
	return ""
}

func absolute(s []byte) string {
	u, why := parseURL(string(s))
	if why == "" && !u.IsAbs() {
		return "want a scheme at the beginning"
	}
	return why
}

func reference(s []byte) string {
	if bytes.IndexByte(s, '\\') >= 0 {
		return "there is a backslash in it"
	}
	_, why := parseURL(string(s))
	return why
}

func parseURL(s string) (*url.URL, string) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, "it cannot be parsed"
	}
	if host := u.Hostname(); strings.Contains(host, ":") {
		if !strings.Contains(u.Host, "[") || ipv6(host) != "" {
			return nil, "its host is no IPv6 address in brackets"
		}
	}
	return u, ""
}
