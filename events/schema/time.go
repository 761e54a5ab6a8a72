package schema

import (
	"strings"

	"github.com/signalbox-ml/signalbox/events/lex"
)

const wantDateTime = "want RFC 3339, such as 2026-01-02T15:04:05Z"

func dateTime(s []byte) string {
	if len(s) < 11 || s[10]|0x20 != 't' || date(s[:10]) != "" || clock(s[11:]) != "" {
		return wantDateTime
	}
	return ""
}

func date(s []byte) string {
	const want = "want a day that exists, such as 2026-01-02"
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return want
	}
	year, ok1 := number2(s, 0)
	rest, ok2 := number2(s, 2)
	month, ok3 := number2(s, 5)
	day, ok4 := number2(s, 8)
	year = 100*year + rest
	if !ok1 || !ok2 || !ok3 || !ok4 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return want
	}
	return ""
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// number2 reads two digits.
func number2(s []byte, i int) (int, bool) {
	a, b := s[i]-'0', s[i+1]-'0'
	return int(a)*10 + int(b), a <= 9 && b <= 9
}

// clock checks a time of day with its offset. A leap second is one where it is 23:59 in UTC.
func clock(s []byte) string {
	const want = "want a time with its offset, such as 15:04:05Z or 15:04:05.123+01:00"
	if len(s) < 9 || s[2] != ':' || s[5] != ':' {
		return want
	}
	h, ok1 := number2(s, 0)
	m, ok2 := number2(s, 3)
	sec, ok3 := number2(s, 6)
	if !ok1 || !ok2 || !ok3 || h > 23 || m > 59 || sec > 60 {
		return want
	}
	s = s[8:]
	if s[0] == '.' {
		n := lex.Digits(s, 1)
		if n == 1 {
			return want
		}
		s = s[n:]
	}
	minutes := 60*h + m
	switch {
	case len(s) == 1 && s[0]|0x20 == 'z':
	case len(s) == 6 && (s[0] == '+' || s[0] == '-') && s[3] == ':':
		zh, ok1 := number2(s, 1)
		zm, ok2 := number2(s, 4)
		if !ok1 || !ok2 || zh > 23 || zm > 59 {
			return want
		}
		if s[0] == '+' {
			minutes += 24*60 - 60*zh - zm
		} else {
			minutes += 60*zh + zm
		}
	default:
		return want
	}
	if sec == 60 && minutes%(24*60) != 24*60-1 {
		return "a leap second is at 23:59:60 in UTC"
	}
	return ""
}

func duration(s []byte) string {
	const want = "want an ISO 8601 duration, such as P3DT4H or P2W"
	if len(s) < 2 || s[0] != 'P' {
		return want
	}
	s = s[1:]
	if n := lex.Digits(s, 0); n > 0 && n == len(s)-1 && s[n] == 'W' {
		return ""
	}
	units, day := "YMD", true
	for len(s) > 0 {
		if day && s[0] == 'T' {
			if units, day, s = "HMS", false, s[1:]; len(s) == 0 {
				return want
			}
			continue
		}
		n := lex.Digits(s, 0)
		if n == 0 || n == len(s) {
			return want
		}
		i := strings.IndexByte(units, s[n])
		if i < 0 {
			return want
		}
		units, s = units[i+1:], s[n+1:]
	}
	return ""
}
